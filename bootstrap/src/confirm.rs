//! A question to the person at the terminal.

use std::io::{IsTerminal, Write};

use miette::IntoDiagnostic;

use crate::error::Usage;

/// Asks, and goes on only where `wanted` is typed. `what` is what nobody has agreed to else, such as `that skydeck is installed`.
///
/// # Errors
/// [`Usage`] where nobody is there, or where something else is typed.
pub(crate) fn confirm(question: &str, wanted: &str, what: &str) -> miette::Result<()> {
    let not = |message: String| Usage::new(message, "say `--yes` to go on without being asked");
    if !std::io::stdin().is_terminal() {
        return Err(not(format!("nobody is here to confirm {what}: nothing was changed")).into());
    }
    eprint!("{question}: ");
    std::io::stderr().flush().into_diagnostic()?;
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed).into_diagnostic()?;
    if typed.trim() == wanted { Ok(()) } else { Err(not("nothing was changed".to_owned()).into()) }
}
