//! Certificates in PEM, taken out of what stands around them.

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Why a text is no certificates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Not {
    Endless,
    OtherText,
    TooLong,
    Nothing,
}

impl Not {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Endless => "a certificate in it has no end",
            Self::OtherText => "a certificate in it is not in base64",
            Self::TooLong => "it is too long",
            Self::Nothing => "there is no certificate in PEM in it",
        }
    }
}

/// The certificates of a text and nothing else, in one form. What stands between them, as `openssl` writes it, is left out.
pub(super) fn certificates(text: &str, length_max: usize) -> Result<String, Not> {
    let (mut kept, mut rest) = (String::new(), text);
    while let Some((_, begun)) = rest.split_once(BEGIN) {
        let (body, after) = begun.split_once(END).ok_or(Not::Endless)?;
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        let lines: Vec<&str> = body.split_ascii_whitespace().collect();
        if lines.is_empty() || !lines.iter().all(|line| line.chars().all(is_base64)) {
            return Err(Not::OtherText);
        }
        kept.extend([BEGIN, "\n", lines.join("\n").as_str(), "\n", END, "\n"]);
        if kept.len() > length_max {
            return Err(Not::TooLong);
        }
        rest = after;
    }
    if kept.is_empty() { Err(Not::Nothing) } else { Ok(kept) }
}
