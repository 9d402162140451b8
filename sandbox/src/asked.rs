//! What the policies of roles were asked, as the emulator writes it down.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A role's policies were asked for an action: for the call's own, or for one that AWS asks for beside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Asked {
    /// The role's name.
    pub role: String,
    /// The action, as policies have it, such as `s3:ListAllMyBuckets`.
    pub action: String,
    /// Whether they allowed it at some time; where they did not, and then did, there are two of these.
    pub allowed: bool,
}

/// Where the emulator writes it down.
pub(crate) fn file(dir: &Path) -> PathBuf {
    dir.join("asked.tsv")
}

/// What has been asked so far, each once.
pub(crate) fn read(dir: &Path) -> Vec<Asked> {
    let text = std::fs::read_to_string(file(dir)).unwrap_or_default();
    // A line that is being written now has no end yet.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Asked> {
    let [role, action, word] = line.split('\t').collect::<Vec<_>>()[..] else { return None };
    Some(Asked { role: role.to_owned(), action: action.to_owned(), allowed: word == "allowed" })
}
