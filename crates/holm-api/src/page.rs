//! Lists in parts: how many, and where the next part begins.
//!
//! Promises: a cursor says after which item to go on, so an item made meanwhile neither repeats nor hides another. It is
//! the last item's key in base64, opaque to clients; one that was not made here is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use holm_core::error::{ErrorCode, Problem};
use serde::Deserialize;
use utoipa::IntoParams;

/// Enough for most installations in one answer.
const LIMIT_DEFAULT: u32 = 100;

/// About 300 KiB of tenants.
const LIMIT_MAX: u32 = 1000;

/// Which part of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// How many at the most: 1 to 1000, 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The `next` of the part before.
    cursor: Option<String>,
}

impl PageParams {
    /// For lists that have parameters of their own besides.
    pub(crate) const fn new(limit: Option<u32>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// How many are wanted.
    ///
    /// # Errors
    /// Outside of what one answer holds.
    pub(crate) fn limit(&self) -> Result<u32, Problem> {
        let limit = self.limit.unwrap_or(LIMIT_DEFAULT);
        if (1..=LIMIT_MAX).contains(&limit) {
            return Ok(limit);
        }
        Err(Problem::new(ErrorCode::InvalidValue, format!("`limit={limit}` is not 1 to {LIMIT_MAX}")))
    }

    /// The key after which the part begins, if it is not the first.
    ///
    /// # Errors
    /// The cursor was not made by [`cursor`] for such a key.
    pub(crate) fn after<K: std::str::FromStr>(&self) -> Result<Option<K>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let key = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok());
        let refused = || Problem::new(ErrorCode::InvalidValue, "`cursor` is not one that this list gave").next("begin without a cursor");
        key.map(Some).ok_or_else(refused)
    }
}

/// The cursor for the part after this one, if this one is full. The catalog may give fewer at once than were asked for; what
/// it gives at the most is then what makes a part full.
pub(crate) fn next(limit: u32, given: usize, last: Option<impl std::fmt::Display>) -> Option<String> {
    let full = usize::try_from(limit.min(holm_store::page::LIMIT_MAX)).unwrap_or(usize::MAX);
    last.filter(|_| given >= full).map(cursor)
}

/// The cursor that goes on after a key.
pub fn cursor(key: impl std::fmt::Display) -> String {
    URL_SAFE_NO_PAD.encode(key.to_string())
}

/// A part of what was found whole, in the order of its keys, and the cursor of the part after it.
///
/// # Errors
/// As [`PageParams::limit`] and [`PageParams::after`].
pub(crate) fn part<T, K>(params: &PageParams, mut all: Vec<T>, key: impl Fn(&T) -> &K) -> Result<(Vec<T>, Option<String>), Problem>
where
    K: Ord + std::fmt::Display + std::str::FromStr,
{
    let (after, limit) = (params.after::<K>()?, size(params.limit()?));
    all.retain(|one| after.as_ref().is_none_or(|after| key(one) > after));
    let more = all.len() > limit;
    all.truncate(limit);
    let next = all.last().filter(|_| more).map(|last| cursor(key(last)));
    Ok((all, next))
}

fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// How far an answer was given that is computed anew for each part of it, and which answer that was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    at: usize,
    whole: String,
}

impl Mark {
    /// Where the part begins, and where it ends, of an answer that is `whole`.
    ///
    /// # Errors
    /// As [`PageParams::limit`] and [`PageParams::after`]; the part before was of another answer.
    pub(crate) fn range(params: &PageParams, whole: &str) -> Result<std::ops::Range<usize>, Problem> {
        let (mark, limit) = (params.after::<Self>()?, size(params.limit()?));
        if mark.as_ref().is_some_and(|mark| mark.whole != whole) {
            return Err(Problem::new(ErrorCode::InvalidValue, "`cursor` is of another answer than there is now")
                .because("what it rests on has changed since the part before was given")
                .next("begin without a cursor"));
        }
        let at = mark.map_or(0, |mark| mark.at);
        Ok(at..at.saturating_add(limit))
    }

    /// The cursor of the part that begins at the end of this one.
    pub(crate) fn next(range: &std::ops::Range<usize>, whole: &str) -> String {
        cursor(Self { at: range.end, whole: whole.to_owned() })
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.at, self.whole)
    }
}

impl std::str::FromStr for Mark {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (at, whole) = text.split_once(' ').ok_or(())?;
        Ok(Self { at: at.parse().map_err(drop)?, whole: whole.to_owned() })
    }
}

/// What a range of positions has of a list; nothing behind its end.
pub(crate) fn slice<T>(all: Vec<T>, range: &std::ops::Range<usize>) -> Vec<T> {
    all.into_iter().skip(range.start).take(range.len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use holm_core::slug::TenantSlug;

    fn params(limit: Option<u32>, cursor: Option<&str>) -> PageParams {
        PageParams { limit, cursor: cursor.map(str::to_owned) }
    }

    #[test]
    fn a_part_has_a_bounded_length() {
        assert_eq!(params(None, None).limit().unwrap(), 100);
        assert_eq!(params(Some(1000), None).limit().unwrap(), 1000);
        for limit in [0, 1001, u32::MAX] {
            assert_eq!(params(Some(limit), None).limit().unwrap_err().code, ErrorCode::InvalidValue);
        }
    }

    #[test]
    fn a_part_that_is_not_full_is_the_last() {
        assert_eq!(next(2, 2, Some("malmo")), Some(cursor("malmo")));
        assert_eq!(next(2, 1, Some("malmo")), None);
        assert_eq!(next(2, 0, None::<&str>), None);
        assert!(next(1000, 500, Some("malmo")).is_some(), "the catalog gives no more at once");
    }

    #[test]
    fn parts_of_a_whole_are_the_whole_and_the_last_says_so() {
        let all: Vec<TenantSlug> = ["bergen", "goteborg", "malmo", "oslo"].map(|slug| slug.parse().unwrap()).to_vec();
        for limit in 1..=5 {
            let (mut given, mut cursor) = (Vec::new(), None);
            loop {
                let (part, next) = part(&PageParams::new(Some(limit), cursor), all.clone(), |slug| slug).unwrap();
                assert!(!part.is_empty() && part.len() <= size(limit));
                given.extend(part);
                cursor = next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(given, all);
        }
        assert_eq!(part(&params(None, None), Vec::<TenantSlug>::new(), |slug| slug).unwrap(), (Vec::new(), None));
    }

    #[test]
    fn a_part_of_another_answer_is_refused() {
        let first = Mark::range(&params(Some(2), None), "a1").unwrap();
        assert_eq!(first, 0..2);
        let cursor = Mark::next(&first, "a1");
        assert_eq!(Mark::range(&params(Some(3), Some(&cursor)), "a1").unwrap(), 2..5);
        assert_eq!(slice(vec![1, 2, 3], &(2..5)), [3]);
        assert!(slice(vec![1, 2, 3], &(7..9)).is_empty());
        let changed = Mark::range(&params(None, Some(&cursor)), "b2").unwrap_err();
        assert_eq!(changed.code, ErrorCode::InvalidValue);
        for forged in ["2", "x a1", "-1 a1", "99999999999999999999999 a1"] {
            let cursor = super::cursor(forged);
            assert_eq!(Mark::range(&params(None, Some(&cursor)), "a1").unwrap_err().code, ErrorCode::InvalidValue, "{forged}");
        }
        assert!(Mark::range(&params(None, Some(&super::cursor(format!("{} a1", usize::MAX)))), "a1").unwrap().is_empty());
    }

    #[test]
    fn a_cursor_goes_on_after_its_key_and_a_forged_one_is_refused() {
        let made = cursor("goteborg");
        assert_eq!(params(None, Some(&made)).after::<TenantSlug>().unwrap(), Some("goteborg".parse().unwrap()));
        assert_eq!(params(None, None).after::<TenantSlug>().unwrap(), None);
        for forged in ["", "goteborg", "!!", &cursor("Göteborg"), &cursor("x' OR true --")] {
            assert_eq!(params(None, Some(forged)).after::<TenantSlug>().unwrap_err().code, ErrorCode::InvalidValue, "{forged}");
        }
    }
}
