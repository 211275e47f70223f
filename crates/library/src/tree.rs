//! What git prints, read strictly, and compared with the documents. Pure.

use std::collections::BTreeMap;

use crate::document::{Document, DocumentPath};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    #[error("it is not the name of a commit")]
    Commit,
    #[error("it is not a listing of a tree")]
    Tree,
    #[error("it is not the content of the files that were asked for")]
    Content,
}

/// Hexadecimal digits of an object's name: SHA-1 or SHA-256.
const NAME_DIGITS: [usize; 2] = [40, 64];

/// A file of the commit that would be a document of the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) name: String,
    pub(crate) size: u64,
}

fn object_name(text: &[u8]) -> Option<String> {
    let hex = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
    if NAME_DIGITS.contains(&text.len()) && text.iter().all(hex) {
        String::from_utf8(text.to_vec()).ok()
    } else {
        None
    }
}

/// `rev-parse`: one name and a line end.
pub(crate) fn commit(output: &[u8]) -> Result<String, OutputError> {
    output.strip_suffix(b"\n").and_then(object_name).ok_or(OutputError::Commit)
}

/// `ls-tree -r -l -z`: `mode type name size\tpath\0`, the size right-aligned. Only what would be a document is kept;
/// a link or a submodule in its place has no bytes that could be equal, and so counts as a file that is missing here.
pub(crate) fn documents_of(
    output: &[u8],
) -> Result<BTreeMap<DocumentPath, Option<Blob>>, OutputError> {
    let mut found = BTreeMap::new();
    let Some(entries) = output.strip_suffix(b"\0") else {
        return if output.is_empty() { Ok(found) } else { Err(OutputError::Tree) };
    };
    for entry in entries.split(|b| *b == 0) {
        let tab = entry.iter().position(|b| *b == b'\t').ok_or(OutputError::Tree)?;
        let (head, path) = entry.split_at(tab);
        let path = path.strip_prefix(b"\t").ok_or(OutputError::Tree)?;
        let fields: Vec<&[u8]> =
            head.split(|b| *b == b' ').filter(|field| !field.is_empty()).collect();
        let [mode, kind, name, size] = fields.as_slice() else { return Err(OutputError::Tree) };
        let name = object_name(name).ok_or(OutputError::Tree)?;
        let Some(path) = std::str::from_utf8(path).ok().and_then(|p| p.parse().ok()) else {
            continue;
        };
        let plain = *kind == b"blob" && mode.starts_with(b"100");
        let blob = if plain { Some(Blob { name, size: number(size)? }) } else { None };
        found.insert(path, blob);
    }
    Ok(found)
}

fn number(digits: &[u8]) -> Result<u64, OutputError> {
    let text = std::str::from_utf8(digits).ok().filter(|t| t.bytes().all(|b| b.is_ascii_digit()));
    text.and_then(|text| text.parse().ok()).ok_or(OutputError::Tree)
}

/// What is left to compare: pairs of equal size, or `None` if the sets of files or their sizes differ already.
pub(crate) fn pairs<'a>(
    tree: &BTreeMap<DocumentPath, Option<Blob>>,
    documents: &'a [Document],
) -> Option<Vec<(Blob, &'a Document)>> {
    if tree.len() != documents.len() {
        return None;
    }
    documents
        .iter()
        .map(|document| match tree.get(&document.path) {
            Some(Some(blob)) if u64::try_from(document.bytes.len()) == Ok(blob.size) => {
                Some((blob.clone(), document))
            }
            Some(_) | None => None,
        })
        .collect()
}

/// `cat-file --batch`: for each name asked for, `name blob size\n`, the bytes, `\n`.
pub(crate) fn same(pairs: &[(Blob, &Document)], output: &[u8]) -> Result<bool, OutputError> {
    let mut rest = output;
    let mut same = true;
    for (blob, document) in pairs {
        let head = format!("{} blob {}\n", blob.name, blob.size);
        rest = rest.strip_prefix(head.as_bytes()).ok_or(OutputError::Content)?;
        let length = document.bytes.len();
        let (bytes, after) = rest.split_at_checked(length).ok_or(OutputError::Content)?;
        same &= bytes == &*document.bytes;
        rest = after.strip_prefix(b"\n").ok_or(OutputError::Content)?;
    }
    if rest.is_empty() { Ok(same) } else { Err(OutputError::Content) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

    fn document(path: &str, text: &str) -> Document {
        Document::new(path.parse().unwrap(), text.as_bytes().to_vec())
    }

    #[test]
    fn a_listing_is_read_strictly() {
        let line = |mode: &str, kind: &str, size: &str, path: &str| {
            format!("{mode} {kind} {NAME} {size}\t{path}\0")
        };
        let good = [
            line("100644", "blob", "      6", "runbooks/a.yaml"),
            line("120000", "blob", "      6", "runbooks/link.yaml"),
            line("160000", "commit", "      -", "runbooks/module.yaml"),
            line("100644", "blob", "      9", "runbooks/sub/a.yaml"),
            line("100644", "blob", "      9", "runbooks/README.md"),
        ]
        .concat();
        let found = documents_of(good.as_bytes()).unwrap();
        let shown: Vec<(String, Option<u64>)> = found
            .iter()
            .map(|(path, blob)| (path.to_string(), blob.as_ref().map(|b| b.size)))
            .collect();
        assert_eq!(
            shown,
            [
                ("runbooks/a.yaml".to_owned(), Some(6)),
                ("runbooks/link.yaml".to_owned(), None),
                ("runbooks/module.yaml".to_owned(), None),
            ]
        );
        assert!(documents_of(b"").unwrap().is_empty());
        let bad = [
            "x".to_owned(),
            "\0".to_owned(),
            line("100644", "blob", "x", "runbooks/a.yaml"),
            line("100644", "blob", "", "runbooks/a.yaml"),
            "100644 blob xyz 6\trunbooks/a.yaml\0".to_owned(),
            good.trim_end_matches('\0').to_owned(),
        ];
        for text in bad {
            assert_eq!(documents_of(text.as_bytes()), Err(OutputError::Tree), "{text:?}");
        }
    }

    #[test]
    fn content_is_compared_byte_for_byte() {
        let document = document("runbooks/a.yaml", "hello\n");
        let blob = |size| Blob { name: NAME.to_owned(), size };
        let tree = |size| BTreeMap::from([(document.path.clone(), Some(blob(size)))]);
        let documents = [document.clone()];
        assert!(pairs(&tree(7), &documents).is_none());
        assert!(pairs(&tree(6), &[]).is_none());
        assert!(pairs(&BTreeMap::new(), &documents).is_none());
        assert!(pairs(&BTreeMap::from([(document.path.clone(), None)]), &documents).is_none());
        let pairs = pairs(&tree(6), &documents).unwrap();
        let cases = [
            (format!("{NAME} blob 6\nhello\n\n"), Ok(true)),
            (format!("{NAME} blob 6\nhellO\n\n"), Ok(false)),
            (format!("{NAME} blob 7\nhello\n\n"), Err(OutputError::Content)),
            (format!("{NAME} missing\n"), Err(OutputError::Content)),
            (format!("{NAME} blob 6\nhello\n\nmore"), Err(OutputError::Content)),
            (format!("{NAME} blob 6\nhel"), Err(OutputError::Content)),
            (String::new(), Err(OutputError::Content)),
        ];
        for (output, want) in cases {
            assert_eq!(same(&pairs, output.as_bytes()), want, "{output:?}");
        }
    }

    #[test]
    fn the_name_of_a_commit_is_hexadecimal() {
        assert_eq!(commit(format!("{NAME}\n").as_bytes()), Ok(NAME.to_owned()));
        for text in
            ["", "\n", NAME, "HEAD\n", "ce01\n", "ce013625030ba8dba906f756967f9e9ca394464A\n"]
        {
            assert_eq!(commit(text.as_bytes()), Err(OutputError::Commit), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_output_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let document = document("runbooks/a.yaml", "hello\n");
            let blob = Blob { name: NAME.to_owned(), size: 6 };
            prop_assert!(same(&[(blob, &document)], &bytes).is_err());
            let read = documents_of(&bytes);
            prop_assert!(read.is_err() || bytes.is_empty() || bytes.contains(&0));
        }
    }
}
