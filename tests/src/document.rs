//! Tables in documents that tests make of what they found.

use crate::root;

/// Set to write tables into their documents.
const UPDATE: &str = "UPDATE_DOCS";
const END: &str = "<!-- to here -->";

/// Holds a table against the one that a document has after this mark, or puts it there.
///
/// # Panics
///
/// When the document has another table, or no such mark.
#[track_caller]
pub fn document(name: &str, mark: &str, table: &str) {
    let path = root().join("docs").join(name);
    let text = std::fs::read_to_string(&path).expect("a document");
    let begin = format!("<!-- {mark} -->\n");
    let (before, rest) = text.split_once(&begin).expect("the mark is in the document");
    let (old, after) = rest.split_once(END).expect("the table ends");
    if std::env::var_os(UPDATE).is_some() {
        let text = format!("{before}{begin}{table}{END}{after}");
        std::fs::write(&path, text).expect("the document can be written");
    } else {
        assert!(old == table, "docs/{name} is not what was found; run with {UPDATE}=1:\n{table}");
    }
}
