//! Secrets: by the prefix that their makers give them, or by what stands before them.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// Words that name a secret.
const NAMES: &str = r"(?x:
    (?:api|access|secret|private|signing|encryption|auth|account|service)[_-]?key
    | (?:client|app|shared)?[_-]?secret
    | (?:access|auth|refresh|bearer|session|id|api|bot|personal[_-]access)?[_-]?token
    | pass(?:word|wd|phrase) | pwd | credentials? | authorization | connection[_-]?string
)";

static FORMS: LazyLock<[Regex; 4]> = LazyLock::new(|| {
    [
        // What its maker marks.
        r"(?x)\b(
            (?:sk|pk|rk)-(?:[a-z0-9]+-)*[A-Za-z0-9_-]{20,}    # OpenAI, Anthropic, Langfuse
            | (?:AKIA|ASIA)[0-9A-Z]{16}                       # AWS
            | AIza[A-Za-z0-9_-]{35} | ya29\.[A-Za-z0-9_-]{20,} | GOCSPX-[A-Za-z0-9_-]{20,}    # Google
            | gh[opsur]_[A-Za-z0-9]{30,} | github_pat_[A-Za-z0-9_]{30,} | glpat-[A-Za-z0-9_-]{20,}
            | xox[abeoprs]-[A-Za-z0-9-]{10,} | xapp-[A-Za-z0-9-]{10,}    # Slack
            | (?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}     # Stripe
            | SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}      # SendGrid
            | hf_[A-Za-z0-9]{30,} | gsk_[A-Za-z0-9]{30,} | xai-[A-Za-z0-9]{30,}    # Hugging Face, Groq, xAI
            | npm_[A-Za-z0-9]{36} | pypi-[A-Za-z0-9_-]{40,} | dop_v1_[0-9a-f]{64}
            | lsv2_(?:pt|sk)_[A-Za-z0-9_]{30,}                # LangSmith
        )",
        // A signed token (RFC 7519).
        r"\b(eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)",
        r"(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z))",
        // The user and password of an address.
        r"(?i)\b[a-z][a-z0-9+.-]*://([^\s/@:]*:[^\s/@]+)@",
    ]
    .map(|pattern| Regex::new(pattern).expect("a valid pattern"))
});

/// A name and what it is set to: `api_key = "…"`, `password: …`, `Authorization: Bearer …`.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    let value = r#"(?:(?:bearer|basic|token)\s+)?(?:"([^"\n]+)"|'([^'\n]+)'|([^\s"',;{}()<>]{6,}))"#;
    Regex::new(&format!(r#"(?i)(?:\b|_)(?:{NAMES})["']?\s*(?:[:=]|=>|:=)\s*{value}"#)).expect("a valid pattern")
});

static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!(r"(?i)(?:^|[_.-])(?:{NAMES})$")).expect("a valid pattern"));

/// Secrets in a text, not in order and overlapping.
pub(super) fn find(text: &str) -> impl Iterator<Item = Range<usize>> {
    let marked = FORMS.iter().flat_map(move |form| form.captures_iter(text).filter_map(|groups| groups.get(1)));
    let named = NAMED.captures_iter(text).filter_map(|groups| (1..=3).find_map(|group| groups.get(group)));
    marked.chain(named).map(|found| found.range())
}

/// Whether a member of this name holds a secret.
pub(super) fn is_name(name: &str) -> bool {
    // `apiKey` is `api_key`.
    let mut spelled = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() && spelled.ends_with(|last: char| last.is_ascii_lowercase()) {
            spelled.push('_');
        }
        spelled.push(c);
    }
    NAME.is_match(&spelled)
}
