//! The pages of `docs/errors`, inside the program.

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// The page of a code, written in any case.
pub(crate) fn page(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, page)| *page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_by_their_code() {
        assert!(page("SH0307").unwrap().starts_with("# SH0307: "));
        assert_eq!(page("sh0307"), page("SH0307"));
        assert_eq!(page("SH9999"), None);
        assert!(PAGES.is_sorted());
    }
}
