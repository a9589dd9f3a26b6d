//! What Linux says of a process.

/// `USER_HZ`, which Linux has promised to user space as 100 on every machine.
const TICK_US: f64 = 10_000.0;

/// User and system time of a process so far, all threads, in microseconds.
pub(crate) fn cpu_us(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the proxy runs");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name in parentheses").split_whitespace().collect();
    // proc(5): utime and stime are fields 14 and 15; the state, field 3, is our first.
    [fields[11], fields[12]].iter().map(|ticks| ticks.parse::<f64>().expect("a number") * TICK_US).sum()
}

/// Resident memory in kilobytes.
pub(crate) fn resident_kb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the proxy runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("every process has a resident size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
