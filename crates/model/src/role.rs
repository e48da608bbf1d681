//! Who says what in a conversation.

/// Where the answer stands among messages of these `roles` that came out. Agents and graphs put out what was said so
/// far, by everyone: of that it is the last answer. `None` where nobody else speaks, or nobody answers: it is all.
pub fn last_answer<'r>(
    mut roles: impl DoubleEndedIterator<Item = Option<&'r str>> + ExactSizeIterator + Clone,
) -> Option<usize> {
    let answers = |role: Option<&str>| matches!(role, Some("assistant" | "model"));
    let is_conversation = roles.clone().any(|role| role.is_some() && !answers(role));
    if is_conversation { roles.rposition(answers) } else { None }
}
