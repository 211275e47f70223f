//! Embeds the pages of `docs/errors`, so that `steady explain` works anywhere.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, error, fs};

fn main() -> Result<(), Box<dyn error::Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let folder = here.join("../../docs/errors").canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut pages = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    let mut out = String::from(
        "/// Codes and their pages, sorted by code.\npub(crate) const PAGES: &[(&str, &str)] = &[\n",
    );
    for path in pages {
        let code =
            path.file_stem().and_then(|stem| stem.to_str()).ok_or("a page's name is not text")?;
        writeln!(out, "    ({code:?}, include_str!({:?})),", path.display().to_string())?;
    }
    out.push_str("];\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("pages.rs"), out)?;
    Ok(())
}
