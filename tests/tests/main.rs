//! All tests of whole runs, in one program: it is linked once, builds the functions once, and a test that waits leaves the cores to
//! another.

mod acceptance;
mod arm64;
mod artifacts;
mod attacks;
mod changes;
mod daily;
mod drift;
mod failures;
mod fault_matrix;
mod foreign;
mod formats;
mod functions;
mod growth;
mod https;
mod installer;
mod instances;
mod layers;
mod lock;
mod machine;
mod obstacles;
mod patience;
mod people;
mod planning;
mod platform_file;
mod properties;
mod provision;
mod records;
mod rights;
mod rollout;
mod rollout_table;
mod secrets;
mod serving;
mod verdicts;

/// Cargo finds the files of this folder no longer by itself.
#[test]
fn every_file_of_this_folder_is_part_of_it() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let this = std::fs::read_to_string(folder.join("main.rs")).expect("this file");
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let rust = path.extension().is_some_and(|extension| extension == "rs") || path.join("mod.rs").exists();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        assert!(!rust || name == "main" || this.contains(&format!("mod {name};")), "{name} is not declared in main.rs");
    }
}
