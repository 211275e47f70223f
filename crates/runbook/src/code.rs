//! Stable codes of mistakes in documents. A code is never given a new meaning; its page says how to mend it.

use std::fmt;
use std::str::FromStr;

macro_rules! codes {
    ($($variant:ident = $text:literal,)*) => {
        /// The kind of a mistake, written `SH0214`. Each has a page in `docs/errors`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($variant,)*
        }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The page that explains the mistake, in Markdown.
            pub const fn page(self) -> &'static str {
                match self {
                    $(Self::$variant => include_str!(concat!("../../../docs/errors/", $text, ".md")),)*
                }
            }
        }
    };
}

codes! {
    // YAML and the shape of documents.
    TooLarge = "SH0101",
    NotText = "SH0102",
    Syntax = "SH0103",
    Tag = "SH0104",
    Alias = "SH0105",
    DuplicateKey = "SH0106",
    OneDocument = "SH0107",
    TooDeep = "SH0108",
    UnquotedInterpolation = "SH0109",
    ColonInText = "SH0110",
    UnknownKey = "SH0111",
    MissingKey = "SH0112",
    WrongShape = "SH0113",
    BadValue = "SH0114",
    NotOneOf = "SH0115",
    UnknownDocument = "SH0116",
    NotSupported = "SH0117",
    UnknownServer = "SH0118",
    // Expressions.
    ExpressionSyntax = "SH0201",
    ExpressionTooLarge = "SH0202",
    UnknownName = "SH0203",
    NotAValue = "SH0204",
    WrongOperand = "SH0205",
    CannotCompare = "SH0206",
    NoSuchEnumValue = "SH0207",
    MayBeNull = "SH0208",
    UnknownFunction = "SH0209",
    WrongArguments = "SH0210",
    DependsOnLoop = "SH0211",
    WrongType = "SH0212",
    Interpolation = "SH0213",
    UnknownField = "SH0214",
    NotSayable = "SH0215",
    BadLiteral = "SH0216",
    NotHere = "SH0217",
    // Where values come from and where they may go.
    UnknownParameter = "SH0301",
    UnusedParameter = "SH0302",
    Cycle = "SH0303",
    BadOf = "SH0304",
    BadDefault = "SH0305",
    EmptyRange = "SH0306",
    TextReachesChange = "SH0307",
    TenantTextReachesChange = "SH0308",
    ModelNotAllowed = "SH0309",
    NoSource = "SH0310",
    TwoSources = "SH0311",
    Unbounded = "SH0312",
    WrongKey = "SH0313",
    MovingNumber = "SH0314",
    AlertCannotFill = "SH0315",
    // Steps, actions, limits, and the library as a whole.
    StepKind = "SH0401",
    DuplicateStep = "SH0402",
    UnknownAction = "SH0403",
    ReadAsStep = "SH0404",
    MissingArgument = "SH0405",
    UnknownArgument = "SH0406",
    WrongArgument = "SH0407",
    NoVerify = "SH0408",
    NoUndo = "SH0409",
    NeedlessIrreversible = "SH0410",
    NoLimits = "SH0411",
    WrongModifier = "SH0412",
    Unreachable = "SH0413",
    BadInstead = "SH0414",
    SameName = "SH0415",
    AlertTwice = "SH0416",
    UnknownEnvironment = "SH0417",
    UnknownStep = "SH0418",
    NoRepeat = "SH0419",
    TooLong = "SH0420",
    LateOutput = "SH0421",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not the code of any mistake in documents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a known code")]
pub struct UnknownCode(pub String);

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL
            .iter()
            .find(|code| code.as_str().eq_ignore_ascii_case(text))
            .copied()
            .ok_or_else(|| UnknownCode(text.chars().take(40).collect()))
    }
}
