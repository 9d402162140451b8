//! What a binary asks of the machine that it runs on.

use miette::{IntoDiagnostic, miette};
use object::Endianness;
use object::elf::{EM_AARCH64, FileHeader64};
use object::read::elf::FileHeader;

/// The C library of Amazon Linux 2023, which Lambda's `provided.al2023` is. The one that the emulated programs find here may
/// be newer, so that a run alone would not show what is missing there.
const GLIBC: [u32; 2] = [2, 34];

/// Whether Lambda's ARM64 can run a binary.
pub(super) fn check(name: &str, binary: &[u8]) -> miette::Result<()> {
    let wanted = Wanted::read(binary).into_diagnostic()?;
    if !wanted.is_arm64 {
        return Err(miette!("{name}: it was not built for ARM64"));
    }
    let too_new: Vec<&str> = wanted.versions.iter().map(String::as_str).filter(|version| is_too_new(version)).collect();
    if too_new.is_empty() {
        return Ok(());
    }
    let [major, minor] = GLIBC;
    let wanted = too_new.join(", ");
    Err(miette!(
        help = "cargo-lambda takes the version that zig takes by itself, unless it is told another one",
        "{name}: it wants {wanted}, and Lambda's `provided.al2023` has GLIBC_{major}.{minor}"
    ))
}

fn is_too_new(version: &str) -> bool {
    let Some(numbers) = version.strip_prefix("GLIBC_") else { return false };
    let numbers: Result<Vec<u32>, _> = numbers.split('.').map(str::parse).collect();
    numbers.is_ok_and(|numbers| numbers[..] > GLIBC[..])
}

struct Wanted {
    is_arm64: bool,
    /// Versions of libraries' interfaces, such as `GLIBC_2.17`.
    versions: Vec<String>,
}

impl Wanted {
    fn read(binary: &[u8]) -> object::Result<Self> {
        let header = FileHeader64::<Endianness>::parse(binary)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, binary)?;
        let mut versions = Vec::new();
        if let Some((mut libraries, link)) = sections.gnu_verneed(endian, binary)? {
            let strings = sections.strings(endian, binary, link)?;
            while let Some((_, mut needed)) = libraries.next()? {
                while let Some(version) = needed.next()? {
                    versions.push(String::from_utf8_lossy(version.name(endian, strings)?).into_owned());
                }
            }
        }
        Ok(Self { is_arm64: header.e_machine(endian) == EM_AARCH64, versions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_c_library_has_is_too_new() {
        assert!(["GLIBC_2.35", "GLIBC_2.100", "GLIBC_3.0"].into_iter().all(is_too_new));
        assert!(!["GLIBC_2.34", "GLIBC_2.17", "GLIBC_2.2.5", "GCC_3.0", "GLIBC_PRIVATE"].into_iter().any(is_too_new));
    }

    #[test]
    fn a_program_of_this_machine_is_read() {
        let program = std::fs::read(std::env::current_exe().expect("a program")).expect("it can be read");
        let wanted = Wanted::read(&program).expect("it is a program");
        assert_eq!(wanted.is_arm64, cfg!(target_arch = "aarch64"));
        assert!(wanted.versions.iter().any(|version| version.starts_with("GLIBC_2.")), "{:?}", wanted.versions);
    }
}
