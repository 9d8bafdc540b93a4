//! The usual mistakes do not compile, and the compiler says of each in one sentence what is wrong,
//! and what to write instead.
//!
//! Each file in `cases` is a program with one mistake. A comment below the mistake has a part of
//! the sentence, `//~ ERROR …`, with carets where it matters what is underlined; `//~ NOTE …` has a
//! part of a label or of a note. There is no other error, unless `//~ MORE` allows it. Nothing else
//! of what the compiler prints is looked at: it is another with every toolchain.

mod cargo;
mod case;

use case::Case;

#[test]
fn each_usual_mistake_is_told_in_one_sentence_and_with_what_to_write() {
    let cases = Case::all();
    let told = cargo::check(&cases);
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| case.is_told_otherwise(&told).err())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
