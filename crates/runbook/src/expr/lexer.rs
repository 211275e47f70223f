//! From text to tokens with places.

use crate::code::Code;
use crate::expr::parser::ParseError;
use crate::source::Place;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Name(String),
    Integer(i64),
    /// 2^63: only legal after a minus sign.
    IntegerMin,
    Text(String),
    /// An operator or bracket.
    Symbol(&'static str),
    End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) place: Place,
}

/// Longest first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 25] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "-", "+", "*", "/", "%", "?", ":", ".", ",",
    "(", ")", "[", "]", "=", "&", "|",
];

pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, ParseError> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(c) = rest.chars().next() else { break };
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (kind, len) = token(rest, c, at)?;
        out.push(Token { kind, place: Place::new(at, at + len) });
        at += len;
    }
    out.push(Token { kind: TokenKind::End, place: Place::new(text.len(), text.len()) });
    Ok(out)
}

fn token(rest: &str, c: char, at: usize) -> Result<(TokenKind, usize), ParseError> {
    if c.is_ascii_alphabetic() || c == '_' {
        let len = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        return Ok((TokenKind::Name(rest.get(..len).unwrap_or("").to_owned()), len));
    }
    if c.is_ascii_digit() {
        return number(rest, at);
    }
    if c == '"' || c == '\'' {
        return text_literal(rest, c, at);
    }
    if let Some(symbol) = SYMBOLS.iter().find(|s| rest.starts_with(**s)) {
        return Ok((TokenKind::Symbol(symbol), symbol.len()));
    }
    let place = Place::new(at, at + c.len_utf8());
    let error = ParseError::new(place, format!("`{c}` has no meaning in an expression"), "here");
    Err(match c {
        '“' | '”' | '‘' | '’' => {
            error.help("quote text with \" or ', not with typographic quotes")
        }
        '$' | '{' | '}' => error.help("inside ${{ }} write only the expression itself"),
        '#' => error.help("a `#` would begin a comment; quote the text"),
        _ => error,
    })
}

fn number(rest: &str, at: usize) -> Result<(TokenKind, usize), ParseError> {
    let len = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    let word = rest.get(..len).unwrap_or("");
    let place = Place::new(at, at + len);
    let fraction = rest.get(len..).is_some_and(|r| {
        r.starts_with('.')
            && r.get(1..).is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()))
    });
    if fraction {
        return Err(ParseError::new(
            place,
            "only whole numbers can be used",
            "a fraction begins here",
        )
        .code(Code::BadLiteral)
        .help("multiply first and divide last: x * 3 / 2"));
    }
    if word.bytes().all(|b| b.is_ascii_digit()) {
        if len > 1 && word.starts_with('0') {
            return Err(ParseError::new(
                place,
                "a number cannot begin with 0",
                "read as ten or as eight?",
            )
            .code(Code::BadLiteral));
        }
        return match word.parse::<i64>() {
            Ok(n) => Ok((TokenKind::Integer(n), len)),
            Err(_) if word == "9223372036854775808" => Ok((TokenKind::IntegerMin, len)),
            Err(_too_large) => Err(ParseError::new(
                place,
                "the number is too large",
                "more than 9223372036854775807",
            )
            .code(Code::BadLiteral)),
        };
    }
    let error = ParseError::new(place, format!("`{word}` is not a number"), "not a whole number")
        .code(Code::BadLiteral);
    Err(match word.parse::<steadyhand_model::time::Span>() {
        Ok(_span) => error.help(format!("write a duration as duration(\"{word}\")")),
        Err(_other) => error,
    })
}

fn text_literal(rest: &str, quote: char, at: usize) -> Result<(TokenKind, usize), ParseError> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((index, c)) = chars.next() {
        if c == quote {
            return Ok((TokenKind::Text(text), index + 1));
        }
        if c != '\\' {
            text.push(c);
            continue;
        }
        let escape = chars.next();
        let plain = match escape.map(|(_, c)| c) {
            Some(c @ ('\\' | '"' | '\'' | '?' | '`')) => Some(c),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('u') => {
                let hex: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                let whole = hex.len() == 4 && hex.bytes().all(|b| b.is_ascii_hexdigit());
                whole.then(|| u32::from_str_radix(&hex, 16).ok()).flatten().and_then(char::from_u32)
            }
            _ => None,
        };
        match plain {
            Some(c) => text.push(c),
            None => {
                let end = escape.map_or(rest.len(), |(i, c)| i + c.len_utf8());
                let place = Place::new(at + index, at + end);
                return Err(ParseError::new(place, "unknown escape in a text", "here")
                    .code(Code::BadLiteral)
                    .help(r#"known: \\ \" \' \n \r \t \u00e9"#));
            }
        }
    }
    let place = Place::new(at, at + rest.len());
    Err(ParseError::new(place, "the text has no closing quote", "it begins here")
        .help(format!("add a {quote} where it ends")))
}
