//! Passes over the texts that certainly do nothing to the session, which is nearly all of them, without reading them.
//!
//! Promises: never calls a text harmless in which [`super::lexer`] would find an effect, wherever strings and comments end:
//! a statement can begin only at the beginning and after a `;`, and the names that matter inside of one are searched for
//! everywhere. Refuses nothing, and finds no effect: what it does not pass over is read.
//!
//! Two bytes of each name are searched for, 64 places at once, in a loop that the compiler turns into vector instructions.

/// How many places are looked at before anything is decided; the compiler does 16 of them in one instruction.
const STRIDE: usize = 64;

/// Whether `text` can be passed over.
pub(super) fn is_harmless(text: &[u8]) -> bool {
    begins_harmlessly(text) && !matters_somewhere(trim_end(text))
}

/// Many texts end with a `;`, which would be the only place in them to look at.
const fn trim_end(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b';' | b' ' | b'\t'..=b'\r' | 0] = text {
        text = rest;
    }
    text
}

fn matters_somewhere(text: &[u8]) -> bool {
    let mut base = 0;
    while let Some((window, _)) = text.get(base..).and_then(<[u8]>::split_first_chunk) {
        if matters_within(text, base, window) {
            return true;
        }
        base += STRIDE;
    }
    let rest = &text[base..];
    let mut window = [0; STRIDE + 1];
    window[..rest.len()].copy_from_slice(rest);
    matters_within(text, base, &window)
}

/// Whether something that matters begins at one of the first places of the window, which lies at `base`.
fn matters_within(text: &[u8], base: usize, window: &[u8; STRIDE + 1]) -> bool {
    let suspicions = suspicions(window);
    let (eights, _) = suspicions.as_chunks::<8>();
    eights.iter().enumerate().any(|(index, eight)| {
        let mut found = u64::from_le_bytes(*eight);
        std::iter::from_fn(|| {
            let bit = found.trailing_zeros();
            found = found.checked_sub(1)? & found;
            usize::try_from(bit / 8).ok()
        })
        .any(|place| matters_at(text, base + index * 8 + place))
    })
}

/// One for each place of the window where a `;` or one of the pairs begins that [`matters_at`] knows.
fn suspicions(window: &[u8; STRIDE + 1]) -> [u8; STRIDE] {
    std::array::from_fn(|at| {
        // Takes letters to lower case and no other byte to a letter; what it confuses otherwise is told apart later.
        let (one, two) = (window[at] | 0x20, window[at + 1] | 0x20);
        u8::from(window[at] == b';')
            | ((u8::from(one == b'd') | u8::from(one == b'r') | u8::from(one == b't')) & u8::from(two == b'v'))
            | (u8::from(one == b'n') & u8::from(two == b'f'))
            | (u8::from(one == b'm') & u8::from(two == b'p'))
            | (u8::from(one == b'&') & u8::from(two == b'"'))
    })
}

fn matters_at(text: &[u8], at: usize) -> bool {
    let (before, here) = text.split_at(at);
    let [one, two, after @ ..] = here else { return false };
    match (one.to_ascii_lowercase(), two.to_ascii_lowercase()) {
        (b';', _) => !begins_harmlessly(&here[1..]),
        // pg_advisory_lock; its `i` has several forms, see `sentence::is_function`.
        (b'd', b'v') => ends_with(before, b"_a") && after.first().is_some_and(|&byte| matches!(byte, b'i' | b'I' | 0x80..)),
        // currval
        (b'r', b'v') => ends_with(before, b"cur") && begins_with_al(after),
        // lastval
        (b't', b'v') => ends_with(before, b"las") && begins_with_al(after),
        // set_config
        (b'n', b'f') => ends_with(before, b"t_co"),
        // TEMP, TEMPORARY, pg_temp, pg_temp_3: not attempt, template, temperature.
        (b'm', b'p') => {
            let whole = before.len().checked_sub(3).and_then(|at| before.get(at)).is_none_or(|byte| !byte.is_ascii_alphanumeric());
            ends_with(before, b"te") && whole && after.first().is_none_or(|byte| !byte.is_ascii_alphabetic() || byte | 0x20 == b'o')
        }
        // U&"..." may spell any of them.
        (b'&', b'"') => true,
        _ => false,
    }
}

fn begins_with_al(after: &[u8]) -> bool {
    after.first_chunk::<2>().is_some_and(|two| two.eq_ignore_ascii_case(b"al"))
}

fn ends_with(before: &[u8], end: &[u8]) -> bool {
    before.len().checked_sub(end.len()).is_some_and(|at| before[at..].eq_ignore_ascii_case(end))
}

/// Whether the statement that begins here, if one does, does nothing by what it is called.
fn begins_harmlessly(text: &[u8]) -> bool {
    let text = skip_blank(text);
    // The longest word that matters has ten letters.
    let mut word = [0; 11];
    let mut length = 0;
    for (slot, byte) in word.iter_mut().zip(text).take_while(|(_, byte)| byte.is_ascii_alphabetic()) {
        *slot = byte.to_ascii_lowercase();
        length += 1;
    }
    !matches!(
        &word[..length],
        b"call"
            | b"create"
            | b"deallocate"
            | b"declare"
            | b"discard"
            | b"do"
            | b"execute"
            | b"explain"
            | b"listen"
            | b"load"
            | b"prepare"
            | b"reset"
            | b"set"
            | b"unlisten"
    )
}

/// Skips what may precede a statement: white space, comments and the parentheses of a SELECT.
fn skip_blank(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [b' ' | b'\t'..=b'\r' | 0 | b'(', rest @ ..] => rest,
            [b'-', b'-', rest @ ..] => rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).map_or(&[], |end| &rest[end..]),
            [b'/', b'*', rest @ ..] => skip_block(rest),
            _ => return text,
        }
    }
}

/// Skips a comment that has begun, with those inside of it.
fn skip_block(mut text: &[u8]) -> &[u8] {
    let mut depth = 1_usize;
    while depth > 0 {
        text = match text {
            [b'/', b'*', rest @ ..] => {
                depth += 1;
                rest
            }
            [b'*', b'/', rest @ ..] => {
                depth -= 1;
                rest
            }
            [_, rest @ ..] => rest,
            [] => return text,
        }
    }
    text
}
