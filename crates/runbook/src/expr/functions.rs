//! The functions that are built in. All others belong to tool servers.

/// A built-in function, by what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuiltIn {
    /// Length of a list or text.
    Size,
    Max,
    Min,
    /// `percent("34%")`, or `percent(part, whole)` rounded down.
    Percent,
    /// `duration("24h")`, also `d("24h")`.
    Duration,
}

pub(crate) const BUILT_IN: [(&str, BuiltIn); 6] = [
    ("size", BuiltIn::Size),
    ("max", BuiltIn::Max),
    ("min", BuiltIn::Min),
    ("percent", BuiltIn::Percent),
    ("duration", BuiltIn::Duration),
    ("d", BuiltIn::Duration),
];

impl BuiltIn {
    pub(crate) fn find(name: &str) -> Option<Self> {
        BUILT_IN.iter().find(|(n, _)| *n == name).map(|(_, f)| *f)
    }

    pub(crate) const fn usage(self) -> &'static str {
        match self {
            Self::Size => "size(list)",
            Self::Max => "max(a, b)",
            Self::Min => "min(a, b)",
            Self::Percent => "percent(\"34%\") or percent(part, whole)",
            Self::Duration => "duration(\"24h\")",
        }
    }
}
