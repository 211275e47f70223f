//! From tokens to a tree, with every limit on the size of an expression.

use super::ast::{Expr, ExprKind, Literal, LoopKind, Op};
use super::lexer::{Token, TokenKind, tokens};
use super::{
    EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_NODES_MAX, LOOPS_MAX, LOOPS_NESTED_MAX,
};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::Place;

/// The first mistake in an expression's form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{title} (byte {}: {label})", place.start)]
pub struct ParseError {
    pub code: Code,
    pub place: Place,
    pub title: String,
    pub label: String,
    pub help: Option<String>,
}

impl ParseError {
    pub(crate) fn new(place: Place, title: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            code: Code::ExpressionSyntax,
            place,
            title: title.into(),
            label: label.into(),
            help: None,
        }
    }

    pub(crate) fn code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn at(self, place: Place, found: &Diagnostics) -> Diagnostic {
        let diagnostic = found.at(self.code, place, self.title).label(self.label);
        match self.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}

/// Reads an expression.
///
/// # Errors
/// The first place that does not fit the grammar, or the limit that the expression exceeds.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    if text.len() > EXPRESSION_BYTES_MAX {
        let title = format!(
            "the expression has {} bytes, at most {EXPRESSION_BYTES_MAX} are read",
            text.len()
        );
        return Err(ParseError::new(Place::new(0, text.len()), title, "too long")
            .code(Code::ExpressionTooLarge));
    }
    let mut parser =
        Parser { tokens: tokens(text)?, at: 0, nodes: 0, depth: 0, loops: 0, nested: 0 };
    let expr = parser.expression()?;
    match parser.peek() {
        TokenKind::End => Ok(expr),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    nodes: usize,
    depth: usize,
    loops: usize,
    nested: usize,
}

type Parsed = Result<Expr, ParseError>;

impl Parser {
    fn token(&self) -> Option<&Token> {
        self.tokens.get(self.at).or_else(|| self.tokens.last())
    }

    fn peek(&self) -> &TokenKind {
        self.token().map_or(&TokenKind::End, |t| &t.kind)
    }

    fn place(&self) -> Place {
        self.token().map_or_else(Place::default, |t| t.place)
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let hit = matches!(self.peek(), TokenKind::Symbol(s) if *s == symbol);
        if hit {
            self.at += 1;
        }
        hit
    }

    fn expect(&mut self, symbol: &'static str) -> Result<Place, ParseError> {
        let place = self.place();
        if self.symbol(symbol) { Ok(place) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    fn unexpected(&self, wanted: &str) -> ParseError {
        let place = self.place();
        let label = format!("expected {wanted}");
        let error = match self.peek() {
            TokenKind::End => {
                return ParseError::new(place, "the expression ends too early", label);
            }
            TokenKind::Name(name) => {
                ParseError::new(place, format!("`{name}` does not fit here"), label)
            }
            TokenKind::Integer(_) | TokenKind::IntegerMin => {
                ParseError::new(place, "this number does not fit here", label)
            }
            TokenKind::Text(_) => ParseError::new(place, "this text does not fit here", label),
            TokenKind::Symbol(symbol) => {
                ParseError::new(place, format!("`{symbol}` does not fit here"), label)
            }
        };
        match self.peek() {
            TokenKind::Name(word) if word.eq_ignore_ascii_case("and") => {
                error.help("write && for `and`")
            }
            TokenKind::Name(word) if word.eq_ignore_ascii_case("or") => {
                error.help("write || for `or`")
            }
            TokenKind::Name(word) if word.eq_ignore_ascii_case("not") => {
                error.help("write ! for `not`")
            }
            TokenKind::Symbol("=") => error.help("write == to compare"),
            TokenKind::Symbol("&") => error.help("write && for `and`"),
            TokenKind::Symbol("|") => error.help("write || for `or`"),
            _ => error,
        }
    }

    fn node(&mut self, kind: ExprKind, place: Place) -> Parsed {
        self.nodes += 1;
        if self.nodes > EXPRESSION_NODES_MAX {
            let title = format!("the expression has more than {EXPRESSION_NODES_MAX} parts");
            return Err(ParseError::new(place, title, "too many parts from here on")
                .code(Code::ExpressionTooLarge)
                .help("split it into several conditions or a parameter with `value`"));
        }
        Ok(Expr::new(kind, place))
    }

    fn expression(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > EXPRESSION_DEPTH_MAX {
            let title =
                format!("the expression is nested deeper than {EXPRESSION_DEPTH_MAX} levels");
            return Err(ParseError::new(self.place(), title, "the level too many begins here")
                .code(Code::ExpressionTooLarge));
        }
        let condition = self.binary(Op::Or.binding())?;
        let expr = if self.symbol("?") {
            // The middle binds tighter than `?:`, as in CEL: a nested choice there needs parentheses.
            let yes = self.binary(Op::Or.binding())?;
            self.expect(":")?;
            let no = self.expression()?;
            let place = condition.place.to(no.place);
            let kind = ExprKind::Choose {
                condition: Box::new(condition),
                yes: Box::new(yes),
                no: Box::new(no),
            };
            self.node(kind, place)?
        } else {
            condition
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn operator(&self) -> Option<Op> {
        let text = match self.peek() {
            TokenKind::Symbol(s) => *s,
            TokenKind::Name(name) if name == "in" => "in",
            _ => return None,
        };
        const OPS: [Op; 14] = [
            Op::Or,
            Op::And,
            Op::Equal,
            Op::NotEqual,
            Op::Less,
            Op::LessOrEqual,
            Op::Greater,
            Op::GreaterOrEqual,
            Op::In,
            Op::Add,
            Op::Subtract,
            Op::Multiply,
            Op::Divide,
            Op::Remainder,
        ];
        OPS.into_iter().find(|op| op.as_str() == text)
    }

    /// Operators that bind at least as tightly as `least`.
    fn binary(&mut self, least: u8) -> Parsed {
        let mut left = self.unary()?;
        while let Some(op) = self.operator().filter(|op| op.binding() >= least) {
            self.at += 1;
            let right = self.binary(op.binding() + 1)?;
            let place = left.place.to(right.place);
            left = self.node(
                ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) },
                place,
            )?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        let mut prefixes = Vec::new();
        loop {
            let start = self.place();
            if self.symbol("!") {
                prefixes.push((true, start));
            } else if self.symbol("-") {
                // A minus directly before a number belongs to it, so that -2^63 can be written.
                match *self.peek() {
                    TokenKind::Integer(n) => {
                        let place = start.to(self.place());
                        self.at += 1;
                        let literal = self.node(ExprKind::Literal(Literal::Integer(-n)), place)?;
                        let expr = self.members(literal)?;
                        return self.prefixed(prefixes, expr);
                    }
                    TokenKind::IntegerMin => {
                        let place = start.to(self.place());
                        self.at += 1;
                        let literal =
                            self.node(ExprKind::Literal(Literal::Integer(i64::MIN)), place)?;
                        return self.prefixed(prefixes, literal);
                    }
                    _ => prefixes.push((false, start)),
                }
            } else {
                break;
            }
        }
        let inner = self.primary()?;
        let inner = self.members(inner)?;
        self.prefixed(prefixes, inner)
    }

    fn prefixed(&mut self, prefixes: Vec<(bool, Place)>, inner: Expr) -> Parsed {
        prefixes.into_iter().rev().try_fold(inner, |inner, (not, start)| {
            let place = start.to(inner.place);
            let kind = if not {
                ExprKind::Not(Box::new(inner))
            } else {
                ExprKind::Negate(Box::new(inner))
            };
            self.node(kind, place)
        })
    }

    fn primary(&mut self) -> Parsed {
        let place = self.place();
        let kind = match self.peek().clone() {
            TokenKind::Integer(n) => ExprKind::Literal(Literal::Integer(n)),
            TokenKind::Text(text) => ExprKind::Literal(Literal::Text(text)),
            TokenKind::Name(name) => match name.as_str() {
                "true" => ExprKind::Literal(Literal::Boolean(true)),
                "false" => ExprKind::Literal(Literal::Boolean(false)),
                "null" => ExprKind::Literal(Literal::Null),
                "in" => return Err(self.unexpected("a value")),
                _ => {
                    self.at += 1;
                    return self.name(name, place);
                }
            },
            TokenKind::Symbol("(") => {
                self.at += 1;
                let inner = self.expression()?;
                self.expect(")")?;
                return Ok(inner);
            }
            TokenKind::Symbol("[") => {
                self.at += 1;
                let (items, end) = self.arguments("]")?;
                return self.node(ExprKind::List(items), place.to(end));
            }
            TokenKind::IntegerMin => {
                return Err(ParseError::new(
                    place,
                    "the number is too large",
                    "more than 9223372036854775807",
                )
                .code(Code::BadLiteral));
            }
            TokenKind::Symbol(_) | TokenKind::End => return Err(self.unexpected("a value")),
        };
        self.at += 1;
        self.node(kind, place)
    }

    fn name(&mut self, name: String, place: Place) -> Parsed {
        if !self.symbol("(") {
            return self.node(ExprKind::Name(name), place);
        }
        if name == "has" {
            let inner = self.expression()?;
            let end = self.expect(")")?;
            if !matches!(inner.kind, ExprKind::Field { .. }) {
                return Err(ParseError::new(
                    inner.place,
                    "has() asks whether a field is there",
                    "not a field",
                )
                .help("write has(alert.labels.team)"));
            }
            return self.node(ExprKind::Has(Box::new(inner)), place.to(end));
        }
        let (args, end) = self.arguments(")")?;
        self.node(ExprKind::Call { name, name_place: place, args }, place.to(end))
    }

    /// Comma-separated expressions up to a closing bracket, whose place is returned.
    fn arguments(&mut self, close: &'static str) -> Result<(Vec<Expr>, Place), ParseError> {
        let mut items = Vec::new();
        loop {
            let place = self.place();
            if items.is_empty() && self.symbol(close) {
                return Ok((items, place));
            }
            items.push(self.expression()?);
            let place = self.place();
            if self.symbol(close) {
                return Ok((items, place));
            }
            if !self.symbol(",") {
                return Err(self.unexpected(&format!("`,` or `{close}`")));
            }
        }
    }

    fn members(&mut self, mut expr: Expr) -> Parsed {
        loop {
            if self.symbol(".") {
                expr = self.member(expr)?;
            } else if self.symbol("[") {
                expr = self.index(expr)?;
            } else {
                return Ok(expr);
            }
        }
    }

    fn index(&mut self, of: Expr) -> Parsed {
        let index = match *self.peek() {
            TokenKind::Integer(n) => usize::try_from(n).unwrap_or(usize::MAX),
            _ => {
                return Err(self.unexpected("a number such as 0").help(
                    "only a constant position in a list can stand here; fields are written a.b",
                ));
            }
        };
        self.at += 1;
        let end = self.expect("]")?;
        let place = of.place.to(end);
        self.node(ExprKind::Index { of: Box::new(of), index }, place)
    }

    fn member(&mut self, of: Expr) -> Parsed {
        let name_place = self.place();
        let TokenKind::Name(name) = self.peek().clone() else {
            return Err(self.unexpected("the name of a field"));
        };
        self.at += 1;
        if !self.symbol("(") {
            let place = of.place.to(name_place);
            return self.node(ExprKind::Field { of: Box::new(of), name, name_place }, place);
        }
        if let Some(kind) = LoopKind::ALL.into_iter().find(|k| k.as_str() == name) {
            return self.loop_over(of, kind, name_place);
        }
        let Some(path) = of.path() else {
            return Err(ParseError::new(
                name_place,
                format!("there is no method `{name}`"),
                "not a method",
            )
            .help("lists have all, exists, filter and map; functions are written size(xs)"));
        };
        let whole = format!("{}.{name}", path.join("."));
        let start = of.place;
        let (args, end) = self.arguments(")")?;
        self.node(
            ExprKind::Call { name: whole, name_place: start.to(name_place), args },
            start.to(end),
        )
    }

    fn loop_over(&mut self, over: Expr, kind: LoopKind, at: Place) -> Parsed {
        self.loops += 1;
        self.nested += 1;
        if self.loops > LOOPS_MAX || self.nested > LOOPS_NESTED_MAX {
            let title = format!(
                "at most {LOOPS_MAX} loops in an expression, {LOOPS_NESTED_MAX} inside one another"
            );
            return Err(
                ParseError::new(at, title, "one loop too many").code(Code::ExpressionTooLarge)
            );
        }
        let name_place = self.place();
        let TokenKind::Name(name) = self.peek().clone() else {
            return Err(self
                .unexpected("a name for the item")
                .help(format!("write xs.{}(x, x.ready)", kind.as_str())));
        };
        self.at += 1;
        self.expect(",")?;
        let body = self.expression()?;
        let end = self.expect(")")?;
        self.nested -= 1;
        let place = over.place.to(end);
        let kind =
            ExprKind::Loop { kind, over: Box::new(over), name, name_place, body: Box::new(body) };
        self.node(kind, place)
    }
}
