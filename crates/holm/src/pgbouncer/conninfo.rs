//! What a database or a user of PgBouncer's is set to: `host=10.0.0.1 dbname='two words' password='it''s'`.
//!
//! Promises: total; what is read here PgBouncer reads too, and the same way: spaces separate, a quote within quotes is
//! doubled, nothing is empty. No refusal repeats a value. Refuses text that follows a closing quote without a space, of which
//! PgBouncer would drop a character.

use holm_core::secret::Secret;

/// Why such a text cannot be read.
pub(crate) type Why = &'static str;

/// Its pairs, in order.
///
/// # Errors
/// [`Why`], of the first pair that cannot be read.
pub(crate) fn pairs(text: &str) -> Result<Vec<(String, Secret<String>)>, Why> {
    let mut rest = text.trim_start_matches(' ');
    let mut pairs = Vec::new();
    while !rest.is_empty() {
        let end = rest.find(['=', ' ']).ok_or("a name has no `=` and no value")?;
        let (name, after) = rest.split_at(end);
        let after = after.trim_start_matches(' ').strip_prefix('=').ok_or("a name has no `=` and no value")?;
        if name.is_empty() {
            return Err("there is no name before an `=`");
        }
        let (value, after) = value(after.trim_start_matches(' '))?;
        if value.expose().is_empty() {
            return Err("a value is empty");
        }
        pairs.push((name.to_owned(), value));
        rest = after.trim_start_matches(' ');
    }
    Ok(pairs)
}

/// A value, and what follows it.
fn value(text: &str) -> Result<(Secret<String>, &str), Why> {
    let Some(mut inside) = text.strip_prefix('\'') else {
        let end = text.find(' ').unwrap_or(text.len());
        return Ok((Secret::new(text[..end].to_owned()), &text[end..]));
    };
    let mut value = String::with_capacity(inside.len());
    loop {
        let (part, after) = inside.split_once('\'').ok_or("a quote is not closed")?;
        value.push_str(part);
        match after.strip_prefix('\'') {
            Some(doubled) => {
                value.push('\'');
                inside = doubled;
            }
            None if after.is_empty() || after.starts_with(' ') => return Ok((Secret::new(value), after)),
            None => return Err("a closing quote is followed by something else than a space"),
        }
    }
}
