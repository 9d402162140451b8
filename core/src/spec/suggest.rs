//! The nearest of the known words.

/// The known word that a wrong one was probably meant to be.
pub(super) fn nearest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    let distance = |known: &str| strsim::damerau_levenshtein(&word.to_lowercase(), &known.to_lowercase());
    let best = known.iter().min_by_key(|candidate| distance(candidate))?;
    // A third of the word may be wrong: more, and the two have little in common but their length.
    (distance(best) <= (word.chars().count() / 3).max(1)).then_some(best)
}

/// `did you mean …?`, where something is near enough.
pub(super) fn did_you_mean(word: &str, known: &[&str]) -> Option<String> {
    nearest(word, known).map(|known| format!("did you mean `{known}`?"))
}

/// Words as a sentence lists them.
pub(super) fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [] => "nothing".into(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
