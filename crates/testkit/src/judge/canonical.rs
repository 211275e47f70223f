//! Canonical JSON (RFC 8785, whole numbers only) and SHA-256 over it, written from the standard.

use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Largest whole number that every reader of JSON keeps exactly: 2^53 - 1.
const WHOLE_MAX: i64 = 9_007_199_254_740_991;

/// The canonical text, or `None` where a number is not whole or not within ±(2^53 - 1).
pub(super) fn text(value: &Value) -> Option<String> {
    let mut out = String::new();
    write(value, &mut out)?;
    Some(out)
}

/// `sha256:<hex>` of some bytes.
pub(super) fn digest(bytes: &[u8]) -> String {
    let mut out = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        // Writing to a string cannot fail.
        if write!(out, "{byte:02x}").is_err() {
            return String::new();
        }
    }
    out
}

fn write(value: &Value, out: &mut String) -> Option<()> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => {
            let whole = number.as_i64().filter(|n| n.unsigned_abs() <= WHOLE_MAX.unsigned_abs())?;
            out.push_str(&whole.to_string());
        }
        Value::String(text) => string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            // The order of the standard is that of UTF-16 code units.
            keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                string(key, out);
                out.push(':');
                write(fields.get(key)?, out)?;
            }
            out.push('}');
        }
    }
    Some(())
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{9}' => out.push_str("\\t"),
            '\u{a}' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\u{d}' => out.push_str("\\r"),
            c if c < ' ' => {
                let code = u32::from(c);
                for shift in [12, 8, 4, 0] {
                    let digit = char::from_digit((code >> shift) & 0xf, 16);
                    if shift == 12 {
                        out.push_str("\\u");
                    }
                    out.extend(digit);
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_standard() {
        let json = r#"{"€":"Euro","\r":"CR","\ufb33":"dagesh","1":"One","😀":"smile","\u0080":"ctl","ö":"o","</script>":"tag"}"#;
        let sorted = "{\"\\r\":\"CR\",\"1\":\"One\",\"</script>\":\"tag\",\"\u{80}\":\"ctl\",\"ö\":\"o\",\"€\":\"Euro\",\"😀\":\"smile\",\"\u{fb33}\":\"dagesh\"}";
        let value = serde_json::from_str(json).unwrap();
        assert_eq!(text(&value).as_deref(), Some(sorted));
        let escapes: Value = serde_json::from_str(r#""\u000f\u20ac\n\"\\/""#).unwrap();
        assert_eq!(text(&escapes).as_deref(), Some("\"\\u000f€\\n\\\"\\\\/\""));
    }

    #[test]
    fn numbers_are_whole() {
        let case = |json: &str| text(&serde_json::from_str(json).unwrap());
        assert_eq!(
            case("[9007199254740991,-9007199254740991]").as_deref(),
            Some("[9007199254740991,-9007199254740991]")
        );
        for bad in ["9007199254740992", "-9007199254740992", "1.5", "18446744073709551615"] {
            assert_eq!(case(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_digest_of_nothing_is_known() {
        let known = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest(b""), known);
    }
}
