# Keeps a PostgreSQL server in the working directory: see postgres.rs.
# $1 is the folder of PostgreSQL's programs. Each line of the input is a port and a command, each
# answer is `ok` or `failed`, and `log` tells why. At the end of the input nobody needs the server
# any more.

programs=$1
trap '' PIPE # who waited for an answer may be gone: then the input ends, too

initialise() {
    "$programs/initdb" --pgdata=data --username=notes --pwfile=password --auth=password \
        --encoding=UTF8 --locale=C --no-sync &&
        cat >>data/postgresql.conf <<SETTINGS
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
shared_buffers = 16MB
fsync = off
full_page_writes = off
SETTINGS
}

run() {
    case $2 in
    initialise) initialise ;;
    start) "$programs/pg_ctl" --pgdata=data --log=server.log --options="-p $1" --wait start ;;
    stop) "$programs/pg_ctl" --pgdata=data --mode=immediate --wait stop ;;
    create) "$programs/createdb" --host=127.0.0.1 --port="$1" --username=notes "$3" ;;
    *) false ;;
    esac
}

while read -r line; do
    # shellcheck disable=SC2086 # its words
    if run $line </dev/null >>log 2>&1; then echo ok; else echo failed; fi
done
run 0 stop </dev/null >/dev/null 2>&1
rm -rf -- "$PWD"
