//! `steady explain [CODE]`

use serde::Serialize;
use steadyhand_api::exit::ExitCode;

use crate::command::{Context, Outcome};
use crate::pages;
use crate::screen::explain;
use crate::trouble::CommandError;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Such as SH0307; without it all codes are listed
    code: Option<String>,
}

#[derive(Debug, Serialize)]
struct Page {
    code: String,
    /// Markdown.
    page: &'static str,
}

pub(crate) fn run(context: &mut Context, args: &Args) -> Outcome {
    match &args.code {
        Some(code) => {
            let page = pages::page(code)
                .ok_or_else(|| CommandError::UnknownCode { code: code.clone() })?;
            let document = Page { code: code.to_ascii_uppercase(), page };
            context.print(&document, &explain::page(page))?;
        }
        None => {
            let codes: Vec<&str> = pages::PAGES.iter().map(|(code, _)| *code).collect();
            context.print(&codes, &explain::list(pages::PAGES))?;
        }
    }
    Ok(ExitCode::Ok)
}
