//! The tree of an expression, and its one spelling.

use std::fmt;

use crate::source::Place;

/// An expression. Places count bytes of the text that was parsed; they take no part in equality of meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    pub kind: ExprKind,
    pub place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExprKind {
    Literal(Literal),
    Name(String),
    List(Vec<Expr>),
    Field {
        of: Box<Expr>,
        name: String,
        name_place: Place,
    },
    /// A constant position in a list, from 0.
    Index {
        of: Box<Expr>,
        index: usize,
    },
    /// A built-in or a tool server's function, by its whole name: `cluster.fits`.
    Call {
        name: String,
        name_place: Place,
        args: Vec<Expr>,
    },
    Loop {
        kind: LoopKind,
        over: Box<Expr>,
        name: String,
        name_place: Place,
        body: Box<Expr>,
    },
    Has(Box<Expr>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Binary {
        op: Op,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Choose {
        condition: Box<Expr>,
        yes: Box<Expr>,
        no: Box<Expr>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    Null,
    Boolean(bool),
    Integer(i64),
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoopKind {
    All,
    Exists,
    Filter,
    Map,
}

impl LoopKind {
    pub const ALL: [Self; 4] = [Self::All, Self::Exists, Self::Filter, Self::Map];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Exists => "exists",
            Self::Filter => "filter",
            Self::Map => "map",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Op {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }

    /// Higher binds tighter. All binary operators group to the left.
    pub(crate) const fn binding(self) -> u8 {
        match self {
            Self::Or => 2,
            Self::And => 3,
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::LessOrEqual
            | Self::Greater
            | Self::GreaterOrEqual
            | Self::In => 4,
            Self::Add | Self::Subtract => 5,
            Self::Multiply | Self::Divide | Self::Remainder => 6,
        }
    }
}

const CHOOSE: u8 = 1;
const UNARY: u8 = 7;
const MEMBER: u8 = 8;

impl Expr {
    pub(crate) fn new(kind: ExprKind, place: Place) -> Self {
        Self { kind, place }
    }

    /// The dotted path, if this is a name with fields after it: `["params", "workload", "ready"]`.
    pub fn path(&self) -> Option<Vec<&str>> {
        match &self.kind {
            ExprKind::Name(name) => Some(vec![name]),
            ExprKind::Field { of, name, .. } => {
                let mut path = of.path()?;
                path.push(name);
                Some(path)
            }
            _ => None,
        }
    }

    /// The direct parts, in order.
    pub fn parts(&self) -> Vec<&Self> {
        match &self.kind {
            ExprKind::Literal(_) | ExprKind::Name(_) => vec![],
            ExprKind::List(items) => items.iter().collect(),
            ExprKind::Field { of, .. } | ExprKind::Index { of, .. } => vec![of],
            ExprKind::Call { args, .. } => args.iter().collect(),
            ExprKind::Loop { over, body, .. } => vec![over, body],
            ExprKind::Has(inner) | ExprKind::Not(inner) | ExprKind::Negate(inner) => vec![inner],
            ExprKind::Binary { left, right, .. } => vec![left, right],
            ExprKind::Choose { condition, yes, no } => vec![condition, yes, no],
        }
    }

    fn binding(&self) -> u8 {
        match &self.kind {
            ExprKind::Choose { .. } => CHOOSE,
            ExprKind::Binary { op, .. } => op.binding(),
            ExprKind::Not(_) | ExprKind::Negate(_) => UNARY,
            ExprKind::Literal(Literal::Integer(n)) if *n < 0 => UNARY,
            _ => MEMBER,
        }
    }

    /// Writes the expression with parentheses if it binds less than its surroundings ask for.
    fn write(&self, f: &mut fmt::Formatter<'_>, least: u8) -> fmt::Result {
        if self.binding() < least {
            write!(f, "(")?;
            self.write(f, CHOOSE)?;
            return write!(f, ")");
        }
        match &self.kind {
            ExprKind::Literal(literal) => write!(f, "{literal}"),
            ExprKind::Name(name) => f.write_str(name),
            ExprKind::List(items) => {
                write!(f, "[")?;
                comma(f, items)?;
                write!(f, "]")
            }
            ExprKind::Field { of, name, .. } => {
                of.write(f, MEMBER)?;
                write!(f, ".{name}")
            }
            ExprKind::Index { of, index } => {
                of.write(f, MEMBER)?;
                write!(f, "[{index}]")
            }
            ExprKind::Call { name, args, .. } => {
                write!(f, "{name}(")?;
                comma(f, args)?;
                write!(f, ")")
            }
            ExprKind::Loop { kind, over, name, body, .. } => {
                over.write(f, MEMBER)?;
                write!(f, ".{}({name}, ", kind.as_str())?;
                body.write(f, CHOOSE)?;
                write!(f, ")")
            }
            ExprKind::Has(inner) => write!(f, "has({inner})"),
            ExprKind::Not(inner) => {
                write!(f, "!")?;
                inner.write(f, UNARY)
            }
            ExprKind::Negate(inner) => {
                write!(f, "-")?;
                // `- 5` would be read back as the number -5, so a literal keeps its parentheses.
                let literal = matches!(inner.kind, ExprKind::Literal(Literal::Integer(_)));
                inner.write(f, if literal { MEMBER + 1 } else { UNARY })
            }
            ExprKind::Binary { op, left, right } => {
                left.write(f, op.binding())?;
                write!(f, " {} ", op.as_str())?;
                right.write(f, op.binding() + 1)
            }
            ExprKind::Choose { condition, yes, no } => {
                condition.write(f, CHOOSE + 1)?;
                write!(f, " ? ")?;
                yes.write(f, CHOOSE + 1)?;
                write!(f, " : ")?;
                no.write(f, CHOOSE)
            }
        }
    }
}

fn comma(f: &mut fmt::Formatter<'_>, items: &[Expr]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            write!(f, ", ")?;
        }
        item.write(f, CHOOSE)?;
    }
    Ok(())
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, CHOOSE)
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(b) => write!(f, "{b}"),
            Self::Integer(n) => write!(f, "{n}"),
            Self::Text(text) => {
                write!(f, "\"")?;
                for c in text.chars() {
                    match c {
                        '"' | '\\' => write!(f, "\\{c}")?,
                        '\n' => write!(f, "\\n")?,
                        '\t' => write!(f, "\\t")?,
                        '\r' => write!(f, "\\r")?,
                        c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                        c => write!(f, "{c}")?,
                    }
                }
                write!(f, "\"")
            }
        }
    }
}
