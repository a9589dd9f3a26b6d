//! The clocks of this machine: the one that people set, and where there is one, the one that nobody can.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holm_link::kept::{Moment, Uptime};

/// This moment.
pub(in crate::serve) fn now() -> Moment {
    // A clock before 1970 is one that was never set: it is behind everything, and not believed.
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Moment { wall, uptime: uptime() }
}

/// `CLOCK_BOOTTIME` also counts while the machine is suspended (clock_gettime(2)), and the kernel names each start (random(4)).
#[cfg(target_os = "linux")]
fn uptime() -> Option<Uptime> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let boot = boot.trim().parse::<uuid::Uuid>().ok()?.into_bytes();
    let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanos) = (u64::try_from(since.tv_sec).ok()?, u32::try_from(since.tv_nsec).ok()?);
    Some(Uptime { boot, since: Duration::new(seconds, nanos) })
}

#[cfg(not(target_os = "linux"))]
const fn uptime() -> Option<Uptime> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_by_both_clocks_within_one_run_of_the_machine() {
        let (one, two) = (now(), now());
        assert!(one.age(one.wall, &two).unwrap() < Duration::from_secs(60));
        if cfg!(target_os = "linux") {
            assert_eq!(one.uptime.unwrap().boot, two.uptime.unwrap().boot);
            assert!(one.uptime.unwrap().since <= two.uptime.unwrap().since);
        }
    }
}
