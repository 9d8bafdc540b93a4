# Keeps chromedriver, and the browsers that it starts, in the working directory: see browser.rs.
# $1 is chromedriver. At the end of the input nobody needs them any more.

# In a session of its own, they are one process group. They have to go together: browsers outlive
# a chromedriver that is killed.
setsid "$1" --port=0 </dev/null 2>log &
while read -r _; do :; done
kill -s KILL -- "-$!" "$!" 2>/dev/null
wait
rm -rf -- "$PWD"
