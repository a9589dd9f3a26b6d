//! What a node keeps of its routes for the time when nobody can tell it any: the table, and when the catalog was last heard of.
//!
//! Promises: how old a word is does not depend on a clock that somebody can set, as long as the machine was not started anew;
//! after that, a clock that was moved back is noticed and believed no more. Refuses to read clocks or files: moments come as
//! arguments, bytes go to [`bundle`](super::bundle).

use std::time::Duration;

use holm_core::route::RouteTable;
use holm_core::secret::Secret;

use super::wire;

const MAGIC: [u8; 8] = *b"holmkpt1";

/// Magic, wall clock in microseconds, whether there is an uptime, boot, microseconds since then.
const HEAD_LENGTH: usize = 8 + 8 + 1 + 16 + 8;

/// Time servers move a clock back by less, and quietly.
const MOVED_BACK_MAX: Duration = Duration::from_secs(300);

/// A moment by the clocks of one machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// Since 1970, as the machine believes; anybody with enough rights can set it.
    pub wall: Duration,
    /// By a clock that nobody can set, where the machine has one.
    pub uptime: Option<Uptime>,
}

/// How long a machine has been up, suspended or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Uptime {
    /// Which start of the machine; no two have the same.
    pub boot: [u8; 16],
    /// Since then.
    pub since: Duration,
}

/// Routes, and what they are worth.
#[derive(Clone, Debug)]
pub struct Kept {
    /// When the catalog last said that they are the newest.
    pub heard: Moment,
    /// The routes.
    pub table: RouteTable,
}

/// Why bytes are not taken for kept routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// They are something else, or of another version of Holm.
    #[error("read something as kept routes that is none of this layout")]
    NotKept,
    /// The table in them is not readable.
    #[error(transparent)]
    Table(#[from] wire::Refused),
}

/// The clock says a time that was over when this node last looked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("believe a clock that was moved back by {} s", by.as_secs())]
pub struct ClockMoved {
    /// By how much, at the least.
    pub by: Duration,
}

impl Moment {
    /// The moment so long before.
    #[must_use]
    pub fn before(&self, time: Duration) -> Self {
        // Before the machine was started it had no uptime.
        let uptime = self.uptime.and_then(|uptime| Some(Uptime { since: uptime.since.checked_sub(time)?, ..uptime }));
        Self { wall: self.wall.saturating_sub(time), uptime }
    }

    /// How long ago this was. `newest` is the latest that the wall clock of this machine was ever seen at.
    ///
    /// # Errors
    /// [`ClockMoved`]: nobody can say.
    pub fn age(&self, newest: Duration, now: &Self) -> Result<Duration, ClockMoved> {
        if let (Some(then), Some(now)) = (self.uptime, now.uptime)
            && then.boot == now.boot
        {
            return now.since.checked_sub(then.since).ok_or(ClockMoved { by: then.since.saturating_sub(now.since) });
        }
        let by = newest.max(self.wall).saturating_sub(now.wall);
        if by > MOVED_BACK_MAX { Err(ClockMoved { by }) } else { Ok(now.wall.saturating_sub(self.wall)) }
    }
}

/// Writes routes for [`bundle::seal`](super::bundle::seal).
pub fn encode(heard: &Moment, table: &RouteTable) -> Secret<Vec<u8>> {
    wire::encode_after(&head(heard), table)
}

/// Reads what [`bundle::open`](super::bundle::open) gave.
///
/// # Errors
/// [`Refused`].
pub fn decode(bytes: &[u8]) -> Result<Kept, Refused> {
    let (head, table) = bytes.split_first_chunk().ok_or(Refused::NotKept)?;
    let heard = read_head(head).ok_or(Refused::NotKept)?;
    Ok(Kept { heard, table: wire::decode(table)? })
}

fn head(heard: &Moment) -> [u8; HEAD_LENGTH] {
    let mut head = [0; HEAD_LENGTH];
    head[..8].copy_from_slice(&MAGIC);
    head[8..16].copy_from_slice(&micros(heard.wall).to_be_bytes());
    if let Some(uptime) = &heard.uptime {
        head[16] = 1;
        head[17..33].copy_from_slice(&uptime.boot);
        head[33..].copy_from_slice(&micros(uptime.since).to_be_bytes());
    }
    head
}

fn read_head(head: &[u8; HEAD_LENGTH]) -> Option<Moment> {
    let rest = head.strip_prefix(&MAGIC)?;
    let (wall, rest) = rest.split_first_chunk()?;
    let ([known], rest) = rest.split_first_chunk()?;
    let (boot, since) = rest.split_first_chunk()?;
    let since = Duration::from_micros(u64::from_be_bytes(since.try_into().ok()?));
    let uptime = match known {
        0 => None,
        1 => Some(Uptime { boot: *boot, since }),
        _ => return None,
    };
    Some(Moment { wall: Duration::from_micros(u64::from_be_bytes(*wall)), uptime })
}

/// 64 bits of microseconds last for half a million years.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// `wall` and `up` in hours.
    fn at(wall: u32, boot: u8, up: u32) -> Moment {
        Moment { wall: HOUR * wall, uptime: Some(Uptime { boot: [boot; 16], since: HOUR * up }) }
    }

    fn age(heard: Moment, newest: u32, now: Moment) -> Result<u64, u64> {
        heard.age(HOUR * newest, &now).map(|age| age.as_secs() / 3600).map_err(|moved| moved.by.as_secs() / 3600)
    }

    #[test]
    fn a_clock_that_is_set_while_the_machine_runs_changes_nothing() {
        for wall in [0, 100, 103, 1000] {
            assert_eq!(age(at(100, 1, 5), 100, at(wall, 1, 8)), Ok(3), "{wall}");
        }
    }

    #[test]
    fn after_a_start_of_the_machine_its_clock_is_believed_unless_it_was_moved_back() {
        assert_eq!(age(at(100, 1, 5), 100, at(103, 2, 0)), Ok(3));
        assert_eq!(age(at(100, 1, 5), 100, at(173, 2, 0)), Ok(73));
        assert_eq!(age(at(100, 1, 5), 100, at(90, 2, 0)), Err(10), "behind the catalog's last word");
        assert_eq!(age(at(100, 1, 5), 160, at(101, 2, 0)), Err(59), "behind what this node has seen since");
        let little = Moment { wall: HOUR * 100 - Duration::from_secs(60), uptime: None };
        assert_eq!(age(at(100, 1, 5), 100, little), Ok(0));
    }

    #[test]
    fn a_machine_without_such_a_clock_goes_by_the_other() {
        let bare = |wall: u32| Moment { wall: HOUR * wall, uptime: None };
        assert_eq!(age(bare(100), 100, bare(103)), Ok(3));
        assert_eq!(age(bare(100), 100, bare(90)), Err(10));
    }

    #[test]
    fn an_uptime_that_goes_back_is_believed_no_more() {
        assert_eq!(age(at(100, 1, 5), 100, at(101, 1, 4)), Err(1));
    }

    #[test]
    fn what_is_kept_is_read_back_and_nothing_else_is() {
        assert_eq!(at(100, 7, 5).before(HOUR * 6), Moment { wall: HOUR * 94, uptime: None });
        for heard in [at(100, 7, 5), Moment { uptime: None, ..at(100, 7, 5) }, at(100, 7, 5).before(HOUR)] {
            let bytes = encode(&heard, &RouteTable::default());
            assert_eq!(decode(bytes.expose()).unwrap().heard, heard);
        }
        let bytes = encode(&at(100, 7, 5), &RouteTable::default());
        let bytes = bytes.expose();
        assert_eq!(decode(&bytes[..HEAD_LENGTH - 1]).unwrap_err(), Refused::NotKept);
        assert_eq!(decode(&bytes[..HEAD_LENGTH]).unwrap_err(), Refused::Table(wire::Refused::NotATable));
        let mut other = bytes.clone();
        other[7] = b'2';
        assert_eq!(decode(&other).unwrap_err(), Refused::NotKept);
        other = bytes.clone();
        other[16] = 2;
        assert_eq!(decode(&other).unwrap_err(), Refused::NotKept);
    }
}
