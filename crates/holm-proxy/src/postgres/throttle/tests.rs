//! The promises of the throttle, with a clock of its own.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::limits::{ADDRESS, ADDRESSES_MAX, CLAIMS_MAX, FAMILIAR, FAMILIAR_FOR, FAMILIAR_MAX, NAME, NAMES_MAX, Price, STRANGER};
use super::*;

/// A throttle, and the time.
struct World {
    throttle: Throttle,
    now: Instant,
}

impl World {
    fn new() -> Self {
        Self { throttle: Throttle::default(), now: Instant::now() }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn check(&self, address: u32, name: &str) -> Result<(), Throttled> {
        self.throttle.check(self.claim(address, name), self.now)
    }

    fn claim(&self, address: u32, name: &str) -> Claim {
        self.throttle.claim(IpAddr::V4(Ipv4Addr::from_bits(address)), name)
    }

    /// Whether a wrong password was looked at.
    fn guess(&self, address: u32, name: &str) -> bool {
        let claim = self.claim(address, name);
        let allowed = self.throttle.check(claim, self.now).is_ok();
        if allowed {
            self.throttle.failed(claim, self.now);
        }
        allowed
    }

    /// Whether a right one was.
    fn log_in(&self, address: u32, name: &str) -> bool {
        let claim = self.claim(address, name);
        let allowed = self.throttle.check(claim, self.now).is_ok();
        if allowed {
            self.throttle.succeeded(claim, self.now);
        }
        allowed
    }

    fn guesses(&self, address: u32, name: &str, tries: usize) -> usize {
        (0..tries).filter(|_| self.guess(address, name)).count()
    }
}

fn free(Price { price, debt_max }: Price) -> usize {
    usize::try_from(debt_max.as_millis() / price.as_millis()).unwrap()
}

#[test]
fn ten_wrong_passwords_are_looked_at_and_then_one_every_five_seconds() {
    let mut world = World::new();
    assert_eq!(world.guesses(1, "web", 100), 10);
    let throttled = world.check(1, "web").unwrap_err();
    assert_eq!(throttled, Throttled { rule: Rule::NameFromAddress, retry_after: Duration::from_secs(5) });
    world.pass(Duration::from_secs(5) - Duration::from_millis(1));
    assert!(!world.guess(1, "web"));
    world.pass(Duration::from_millis(1));
    assert_eq!(world.guesses(1, "web", 100), 1);
    world.pass(STRANGER.debt_max);
    assert_eq!(world.guesses(1, "web", 100), 10, "an evening later all is forgotten");
}

#[test]
fn a_success_forgives_the_name_at_its_address_and_neither_the_address_nor_the_name_elsewhere() {
    let world = World::new();
    assert_eq!(world.guesses(1, "web", 9), 9);
    assert!(world.log_in(1, "web"));
    assert_eq!(world.guesses(1, "web", 9), 9);
    assert_eq!(world.guesses(2, "web", 10), 10);
    assert!(world.log_in(1, "web"));
    assert!(!world.guess(2, "web"), "who logs in elsewhere does not forgive the one who guesses");
    let mut guessed = 18;
    for i in 0..1000 {
        guessed += usize::from(world.guess(1, &format!("guess{i}")));
        assert!(world.log_in(1, "web"), "with a credential of one's own between guesses");
    }
    assert_eq!(guessed, free(ADDRESS));
}

#[test]
fn a_stubborn_client_with_a_stale_password_keeps_no_other_name_out() {
    let mut world = World::new();
    for _ in 0..10_000 {
        world.guess(1, "stale");
        world.pass(Duration::from_millis(10));
        assert_eq!(world.check(1, "web"), Ok(()));
    }
}

#[test]
fn a_name_that_was_in_use_at_an_address_stays_in_whatever_others_fail() {
    let mut world = World::new();
    assert!(world.log_in(1, "web"));
    for i in 0..1000_u32 {
        world.guess(1, &format!("spray{i}"));
        world.guesses(i + 2, "web", 10);
    }
    assert_eq!(world.check(1, "other").unwrap_err().rule, Rule::Address);
    assert_eq!(world.check(5000, "web").unwrap_err().rule, Rule::Name);
    assert!(world.log_in(1, "web"));
    world.pass(FAMILIAR_FOR / 2 + Duration::from_secs(1));
    assert!(world.log_in(1, "web"));
    world.pass(FAMILIAR_FOR - Duration::from_secs(1));
    for i in 0..1000_u32 {
        world.guess(1, &format!("spray{i}"));
    }
    assert!(world.log_in(1, "web"), "renewed while it was in use");
    world.pass(FAMILIAR_FOR);
    for i in 0..1000_u32 {
        world.guess(1, &format!("spray{i}"));
    }
    assert!(!world.log_in(1, "web"), "an hour without a login, and it is a stranger again");
}

#[test]
fn somebody_who_guesses_a_name_where_it_is_in_use_gets_it_more_room_and_not_less() {
    let mut world = World::new();
    assert!(world.log_in(1, "web"));
    assert_eq!(world.guesses(1, "web", 1000), free(FAMILIAR));
    world.pass(FAMILIAR.price);
    assert!(world.log_in(1, "web"), "after a second, and with that all is forgiven");
    assert_eq!(world.guesses(1, "web", 10), 10);
}

#[test]
fn logins_that_began_at_once_get_no_more_guesses_than_one_after_the_other() {
    let world = World::new();
    let claim = world.claim(1, "web");
    let begun = (0..1000).filter(|_| world.throttle.check(claim, world.now).is_ok()).count();
    assert_eq!(begun, 1000);
    let looked_at = (0..begun).filter(|_| world.guess(1, "web")).count();
    assert_eq!(looked_at, free(STRANGER));
}

#[test]
fn memory_is_bounded_and_those_who_fail_most_are_remembered_longest() {
    let world = World::new();
    assert_eq!(world.guesses(0, "web", 10), 10);
    for i in 0..50_000_u32 {
        world.guess(i + 1, &format!("name{i}"));
        world.log_in(i + 1, &format!("other{i}"));
    }
    let limits = world.throttle.limits();
    let lengths = [&limits.claims, &limits.addresses, &limits.names, &limits.familiar].map(super::ledger::Ledger::len);
    assert_eq!(lengths, [CLAIMS_MAX, ADDRESSES_MAX, NAMES_MAX, FAMILIAR_MAX]);
    drop(limits);
    assert!(!world.guess(0, "web"), "fifty thousand strangers who failed once push out none who failed ten times");
}

#[test]
fn the_page_of_the_error_has_the_numbers() {
    let page = holm_core::error::ErrorCode::LoginsThrottled.page();
    for (what, limit, price_ms, then) in [
        ("one name from one address", STRANGER, 5000, "1 every 5 s"),
        ("one name from one address where it logged in within the last hour", FAMILIAR, 1000, "1 every second"),
        ("all names from one address", ADDRESS, 1000, "1 every second"),
        ("one name from all addresses", NAME, 500, "2 every second"),
    ] {
        assert_eq!(limit.price, Duration::from_millis(price_ms), "{then}");
        let row = format!("| {what} | {} | {then} |", free(limit));
        assert!(page.contains(&row), "{row}");
    }
    assert_eq!(FAMILIAR_FOR, Duration::from_secs(3600));
}

#[test]
fn the_hosts_of_an_ipv6_network_are_one_stranger() {
    let throttle = Throttle::default();
    let claim = |address: &str| throttle.claim(address.parse().unwrap(), "web");
    assert_eq!(claim("2001:db8::1"), claim("2001:db8::2"));
    assert_ne!(claim("2001:db8::1"), claim("2001:db8:0:1::1"));
}

/// One step of a story.
#[derive(Clone, Debug)]
enum Step {
    Guess { address: usize, name: usize },
    LogIn { address: usize, name: usize },
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (address, name) = (0..4_usize, 0..6_usize);
    let step = prop_oneof![
        8 => (address.clone(), name.clone()).prop_map(|(address, name)| Step::Guess { address, name }),
        1 => (address, name).prop_map(|(address, name)| Step::LogIn { address, name }),
        2 => (0..3000_u64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..600)
}

fn of(address: usize) -> u32 {
    u32::try_from(address).unwrap()
}

const NAMES: [&str; 6] = ["web", "worker", "nobody", "postgres", "", "nobody at all"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Over any stretch of time: what is free at once, and one for each price that has passed.
    #[test]
    fn no_more_is_looked_at_than_the_prices_say(steps in steps()) {
        let mut world = World::new();
        let begun = world.now;
        let (mut by_address, mut by_name) = ([0_usize; 4], [0_usize; 6]);
        for step in steps {
            match step {
                // Names 0 and 1 are in use, and familiar names are let in past the wider limits: by their own.
                Step::LogIn { address, name } => _ = world.log_in(of(address), NAMES[name % 2]),
                Step::Guess { address, name } if world.guess(of(address), NAMES[name]) => {
                    if name > 1 {
                        by_address[address] += 1;
                        by_name[name] += 1;
                    }
                }
                Step::Guess { .. } => {}
                Step::Pass(ms) => world.pass(Duration::from_millis(ms)),
            }
        }
        let most = |limit: Price| free(limit) + usize::try_from((world.now - begun).as_millis() / limit.price.as_millis()).unwrap();
        prop_assert!(by_address.iter().all(|guesses| *guesses <= most(ADDRESS)), "{by_address:?}");
        prop_assert!(by_name.iter().all(|guesses| *guesses <= most(NAME)), "{by_name:?}");
    }

    #[test]
    fn what_is_said_about_waiting_is_true_to_the_millisecond(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            match step {
                Step::LogIn { address, name } => _ = world.log_in(of(address), NAMES[name]),
                Step::Pass(ms) => world.pass(Duration::from_millis(ms)),
                Step::Guess { address, name } => {
                    if let Err(Throttled { retry_after, .. }) = world.check(of(address), NAMES[name]) {
                        prop_assert!(retry_after <= STRANGER.price, "nobody waits longer than for one price: {retry_after:?}");
                        let now = world.now;
                        world.pass(retry_after.saturating_sub(Duration::from_millis(1)));
                        let early = world.check(of(address), NAMES[name]);
                        world.pass(Duration::from_millis(1));
                        prop_assert!(early.is_err() && world.check(of(address), NAMES[name]).is_ok());
                        world.now = now;
                    }
                    world.guess(of(address), NAMES[name]);
                }
            }
        }
    }
}
