//! The functions as Lambda runs them on ARM64: built for it, and run by an emulator of its processor (docs/arm64.md).

mod api;
mod command;
mod debian;
mod elf;
mod process;
mod report;
mod toolchain;
mod trial;
mod whole;

use std::fs;

use miette::{Context as _, IntoDiagnostic, miette};
use skydeck_bootstrap::install;
use skydeck_bootstrap::package::Package;

pub use report::{Measured, Report, ZIP_LIMIT};

use crate::root;
use toolchain::Toolchain;
use trial::Trial;

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// Something begins that takes time.
    Begins(&'a str),
    /// So many functions are tried from now on.
    Tries(usize),
    /// One of them was tried.
    Tried(&'a str),
}

/// Builds functions and tries them: all of them where none is named. The good events of those that call AWS come from whole
/// runs in the local AWS.
///
/// # Errors
/// Where there is no function of such a name, where the toolchain cannot be had, or where cargo fails.
///
/// # Panics
/// Where the local AWS does not start.
pub async fn run(only: &[String], tell: &(dyn Fn(Step<'_>) + Sync)) -> miette::Result<Report> {
    let names = chosen(only)?;
    let dir = root().join("target/arm64");
    let begins = |text: &str| tell(Step::Begins(text));
    let toolchain = Toolchain::make(&dir, &begins).await?;
    begins(&format!("building {}", names.join(", ")));
    let binaries = toolchain.build(&names).await?;
    let emulator = toolchain.emulator();
    // Another process may build from here on: a binary that runs is not written to.
    drop(toolchain);

    let mut report = Report::default();
    let logs = dir.join("logs");
    fs::create_dir_all(&logs).into_diagnostic()?;
    tell(Step::Tries(binaries.len()));
    for (name, binary) in &binaries {
        let log = logs.join(format!("{name}.log"));
        try_one(&mut report, Trial { emulator: &emulator, name, binary, log }).await?;
        tell(Step::Tried(name));
    }
    if report.is_good() && binaries.keys().any(|name| name != install::PROBE) {
        begins("bringing a platform up and down in the local AWS, with these functions");
        match whole::run(&emulator, &binaries, &dir.join("whole")).await {
            Ok(silent) => {
                let never = |name: String| miette!("{name}: it was never called by the runs in the local AWS");
                report.failures.extend(silent.into_iter().map(never));
            }
            Err(error) => report.failures.push(error),
        }
    }
    Ok(report)
}

/// Functions of these names; all where there is none.
fn chosen(only: &[String]) -> miette::Result<Vec<&'static str>> {
    let all = install::binaries();
    if let Some(unknown) = only.iter().find(|name| !all.contains(&name.as_str())) {
        return Err(miette!(help = format!("there are {}", all.join(", ")), "there is no function `{unknown}`"));
    }
    Ok(all.into_iter().filter(|name| only.is_empty() || only.iter().any(|one| one == name)).collect())
}

async fn try_one(report: &mut Report, trial: Trial<'_>) -> miette::Result<()> {
    let binary = fs::read(trial.binary).into_diagnostic().wrap_err_with(|| trial.binary.display().to_string())?;
    // As `skydeck bootstrap` uploads it.
    let bytes = Package::of(&binary)?.zip.len();
    if bytes > ZIP_LIMIT {
        let help = "`cargo tree -p skydeck-functions` shows what has come in";
        report.failures.push(miette!(
            help = help,
            "{}: its zip has {bytes} bytes, and may have {ZIP_LIMIT}",
            trial.name
        ));
    }
    report.failures.extend(elf::check(trial.name, &binary).err());
    let seen = trial.run().await.map_err(|error| report.failures.push(error)).ok();
    report.functions.push(Measured::of(trial.name, bytes, seen));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_is_not_there_is_named_with_those_that_are() {
        let error = chosen(&["prob".into()]).expect_err("there is none");
        assert_eq!(error.to_string(), "there is no function `prob`");
        assert!(error.help().is_some_and(|help| help.to_string().contains("probe")));
        assert_eq!(chosen(&["probe".into()]).expect("there is one"), ["probe"]);
        assert_eq!(chosen(&[]).expect("all"), install::binaries());
    }
}
