//! The terminal: how screens look on it, writing to it, and lines read from it.
//!
//! No raw mode, no hidden cursor: whatever happens to this process, the terminal stays usable.

use std::ffi::OsString;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use steadyhand_model::canonical::CanonicalJson;
use tokio::sync::mpsc;

use crate::screen::writer::{self, Look};
use crate::screen::{Item, Screen};
use crate::trouble::CommandError;

/// Columns of a pipe, and of a terminal that does not say.
const COLUMNS_DEFAULT: usize = 80;
/// Longest line that is read as an answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Where a screen is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// What the environment says about the terminal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    pub(crate) no_color: Option<OsString>,
    pub(crate) term: Option<OsString>,
    pub(crate) columns: Option<OsString>,
    /// The first of LC_ALL, LC_CTYPE and LANG that is set.
    pub(crate) locale: Option<OsString>,
}

impl Surroundings {
    pub(crate) fn of_process() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            no_color: set("NO_COLOR"),
            term: set("TERM"),
            columns: set("COLUMNS"),
            locale: set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")),
        }
    }

    fn utf8(&self) -> bool {
        let locale = self.locale.as_ref().and_then(|locale| locale.to_str()).unwrap_or("C");
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    }

    fn columns(&self) -> Option<usize> {
        self.columns.as_ref()?.to_str()?.parse().ok().filter(|columns| *columns > 0)
    }
}

/// How screens look on a stream. `size` is the terminal's own word for its columns; `None` where it is none.
pub(crate) fn look(
    around: &Surroundings,
    terminal: bool,
    size: Option<usize>,
    ascii: bool,
) -> Look {
    let dumb = around.term.as_ref().is_none_or(|term| term == "dumb");
    Look {
        width: around.columns().or(size).unwrap_or(COLUMNS_DEFAULT),
        colour: terminal && around.no_color.is_none() && !dumb,
        // A pipe has no locale of its own: whoever reads it may not speak UTF-8.
        ascii: ascii || !terminal || !around.utf8(),
    }
}

fn size(stream: Stream) -> Option<usize> {
    let size = match stream {
        Stream::Out => rustix::termios::tcgetwinsize(io::stdout()),
        Stream::Err => rustix::termios::tcgetwinsize(io::stderr()),
    };
    size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// The look of one of this process's own streams.
pub(crate) fn look_of(stream: Stream, ascii: bool) -> Look {
    let terminal = match stream {
        Stream::Out => io::stdout().is_terminal(),
        Stream::Err => io::stderr().is_terminal(),
    };
    let size = if terminal { size(stream) } else { None };
    look(&Surroundings::of_process(), terminal, size, ascii)
}

/// What is printed for people or for programs, and whether anybody can be asked.
#[derive(Debug)]
pub(crate) struct Terminal {
    look: Look,
    /// Standard output is a terminal.
    shows: bool,
    /// A person can be asked: both ends are a terminal, and text is wanted.
    asks: bool,
    /// Only the one document at the end is printed.
    json: bool,
    /// The line that is being written over is not ended yet.
    open: bool,
    typist: Option<Typist>,
}

/// Reads one line each time it is asked to, on a thread of its own: a read of a terminal cannot be taken back, and
/// must not hold up a run.
#[derive(Debug)]
struct Typist {
    wanted: std::sync::mpsc::Sender<()>,
    lines: mpsc::Receiver<String>,
    /// A read is under way.
    reading: bool,
}

/// What came of asking for a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    Line(String),
    /// End of input: nobody is there.
    End,
}

impl Terminal {
    pub(crate) fn new(ascii: bool, json: bool) -> Self {
        let shows = io::stdout().is_terminal();
        Self {
            look: look_of(Stream::Out, ascii),
            shows: shows && !json,
            asks: shows && io::stdin().is_terminal() && !json,
            json,
            open: false,
            typist: None,
        }
    }

    pub(crate) fn asks(&self) -> bool {
        self.asks
    }

    /// Whether lines may be written over as time goes on.
    pub(crate) fn is_live(&self) -> bool {
        self.shows
    }

    /// Whether screens are left out: a program reads the one document at the end.
    pub(crate) fn is_quiet(&self) -> bool {
        self.json
    }

    pub(crate) fn show(&mut self, screen: &Screen) -> Result<(), CommandError> {
        if self.json {
            return Ok(());
        }
        self.close()?;
        put(&writer::write(screen, self.look))
    }

    pub(crate) fn line(&mut self, item: Item) -> Result<(), CommandError> {
        let mut screen = Screen::new();
        screen.item(item);
        self.show(&screen)
    }

    /// Writes a line over the one before, without ending it.
    pub(crate) fn over(&mut self, item: &Item) -> Result<(), CommandError> {
        self.open = true;
        put(&writer::write_over(item, self.look))
    }

    /// Takes the line that is written over away.
    pub(crate) fn close(&mut self) -> Result<(), CommandError> {
        if !std::mem::take(&mut self.open) {
            return Ok(());
        }
        let blank = Item::text(crate::screen::Words::new());
        put(&writer::write_over(&blank, self.look))?;
        put("\r")
    }

    /// A prompt, without a line end.
    pub(crate) fn prompt(&mut self, screen: &Screen) -> Result<(), CommandError> {
        self.close()?;
        let text = writer::write(screen, self.look);
        put(text.trim_end_matches('\n'))?;
        put(" ")
    }

    /// One JSON document and a line end.
    pub(crate) fn json(&mut self, document: &CanonicalJson) -> Result<(), CommandError> {
        if io::stdout().is_terminal() {
            put(&escaped_json(document.as_str()))?;
        } else {
            put(document.as_str())?;
        }
        put("\n")
    }

    /// Forgets what was typed before the next question is asked: it answers nothing.
    pub(crate) fn forget(&mut self) {
        // Fails where the input is no terminal any more; then there is nothing typed ahead either.
        match rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush) {
            Ok(()) | Err(_) => {}
        }
        if let Some(typist) = &mut self.typist
            && typist.lines.try_recv().is_ok()
        {
            typist.reading = false;
        }
    }

    /// The next line that is typed. May be cancelled: the line that is typed next then answers the next question, if
    /// that was asked before it was typed.
    pub(crate) async fn answer(&mut self) -> Typed {
        let typist = self.typist.get_or_insert_with(Typist::start);
        match typist.next().await {
            Some(line) => Typed::Line(line),
            None => Typed::End,
        }
    }
}

impl Typist {
    fn start() -> Self {
        let (wanted, wishes) = std::sync::mpsc::channel::<()>();
        let (sender, lines) = mpsc::channel(1);
        std::thread::spawn(move || {
            while wishes.recv().is_ok() {
                let Some(line) = read_line() else {
                    return;
                };
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Self { wanted, lines, reading: false }
    }

    async fn next(&mut self) -> Option<String> {
        if !self.reading {
            if self.wanted.send(()).is_err() {
                return None;
            }
            self.reading = true;
        }
        let line = self.lines.recv().await;
        self.reading = false;
        line
    }
}

/// `None` at the end of the input.
fn read_line() -> Option<String> {
    let mut bytes = Vec::new();
    let mut input = io::Read::take(io::stdin().lock(), ANSWER_BYTES_MAX);
    match input.read_until(b'\n', &mut bytes) {
        // Anything that is not text is no answer; it is asked again.
        Ok(1..) => Some(String::from_utf8_lossy(&bytes).trim().to_owned()),
        Ok(_) | Err(_) => None,
    }
}

/// The same JSON document in ASCII: a terminal must not act on what a document quotes.
fn escaped_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

/// Writes to standard output. A reader that is gone is not an error: it has seen enough.
fn put(text: &str) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(source) if source.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(source) => Err(CommandError::Output { source }),
    }
}

/// Writes to standard error. There is nowhere to say that this failed.
pub(crate) fn complain(screen: &Screen, ascii: bool) {
    let text = writer::write(screen, look_of(Stream::Err, ascii));
    match io::stderr().lock().write_all(text.as_bytes()) {
        Ok(()) | Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(pairs: &[(&str, &str)]) -> Surroundings {
        let get = |name: &str| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        };
        Surroundings {
            no_color: get("NO_COLOR"),
            term: get("TERM"),
            columns: get("COLUMNS"),
            locale: get("LANG"),
        }
    }

    #[test]
    fn the_look_follows_the_stream() {
        let plain = around(&[("TERM", "xterm"), ("LANG", "de_DE.UTF-8")]);
        let full = Look { width: 100, colour: true, ascii: false };
        assert_eq!(look(&plain, true, Some(100), false), full);
        assert_eq!(look(&plain, true, Some(100), true), Look { ascii: true, ..full });
        let piped = Look { width: 80, colour: false, ascii: true };
        assert_eq!(look(&plain, false, None, false), piped);
        let no_colour = around(&[("TERM", "xterm"), ("LANG", "C.utf8"), ("NO_COLOR", "1")]);
        let want = Look { colour: false, ..full };
        assert_eq!(look(&no_colour, true, Some(100), false), want);
        let dumb = around(&[("TERM", "dumb"), ("LANG", "C"), ("COLUMNS", "60")]);
        let want = Look { width: 60, colour: false, ascii: true };
        assert_eq!(look(&dumb, true, Some(100), false), want);
    }

    #[test]
    fn json_for_a_terminal_is_the_same_document_in_ascii() {
        let document = CanonicalJson::of("a\u{202e}\u{9b}\u{7f}é🜨\u{1b}").unwrap();
        let shown = escaped_json(document.as_str());
        assert_eq!(shown, r#""a\u202e\u009b\u007f\u00e9\ud83d\udf28\u001b""#);
        assert_eq!(CanonicalJson::parse(shown.as_bytes()).unwrap(), document);
    }
}
