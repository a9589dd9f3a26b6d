//! What is told of many is nothing of one: by table, and against somebody who adds and subtracts whatever an answer tells.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn at_least(number: u32) -> AtLeast {
    number.try_into().unwrap()
}

/// A tenant for each number, which it has of everything.
fn tenants(groups: &[(&str, &[u64])]) -> Vec<Counted> {
    let of = |(name, numbers): &(&str, &[u64])| {
        let group = (!name.is_empty()).then(|| (*name).to_owned());
        numbers.iter().map(move |number| Counted { group: group.clone(), numbers: [*number; 5] }).collect::<Vec<_>>()
    };
    groups.iter().flat_map(of).collect()
}

fn figure(told: &Told) -> String {
    let first = told.figures[0];
    assert!(told.figures.iter().all(|figure| *figure == first));
    match first {
        Figure::Told { sum, mean } => format!("{} tenants, sum {sum}, mean {mean}", told.tenants),
        Figure::Withheld(why) => format!("{} tenants, {}", told.tenants, why.as_str()),
    }
}

fn told(number: u32, groups: &[(&str, &[u64])]) -> Vec<String> {
    let statistics = tell(at_least(number), &tenants(groups));
    let group = |group: &Group| format!("{}: {}", group.name.as_deref().unwrap_or("-"), figure(&group.told));
    let others = statistics.others.iter().map(|others| format!("{} others: {}", others.groups, figure(&others.told)));
    let total = format!("all: {}", figure(&statistics.total));
    statistics.groups.iter().map(group).chain(others).chain([total]).collect()
}

const THREE: &[u64] = &[10, 20, 31];
const FOUR: &[u64] = &[10, 10, 10, 10];

#[test]
fn r104_a_group_of_enough_tenants_is_told_and_one_of_fewer_is_among_the_others() {
    let all = [("a", THREE), ("b", FOUR), ("c", THREE)];
    assert_eq!(
        told(3, &all),
        [
            "a: 3 tenants, sum 61, mean 20",
            "b: 4 tenants, sum 40, mean 10",
            "c: 3 tenants, sum 61, mean 20",
            "all: 10 tenants, sum 162, mean 16"
        ]
    );
    assert_eq!(
        told(4, &all),
        ["b: 4 tenants, sum 40, mean 10", "2 others: 6 tenants, sum 122, mean 20", "all: 10 tenants, sum 162, mean 16"]
    );
    // Nobody said where these are: a group like any other.
    assert_eq!(told(3, &[("", THREE)]), ["-: 3 tenants, sum 61, mean 20", "all: 3 tenants, sum 61, mean 20"]);
}

#[test]
fn r104_where_the_others_are_too_few_the_smallest_group_is_told_with_them_and_not_by_itself() {
    let all: [(&str, &[u64]); 4] = [("a", FOUR), ("b", THREE), ("c", THREE), ("d", &[9])];
    assert_eq!(
        told(3, &all),
        [
            "a: 4 tenants, sum 40, mean 10",
            "c: 3 tenants, sum 61, mean 20",
            "2 others: 4 tenants, sum 70, mean 18",
            "all: 11 tenants, sum 171, mean 16"
        ]
    );
    let folded = tell(at_least(3), &tenants(&all)).others.unwrap().folded;
    assert_eq!(folded, Folded::WithTheSmallest);
    assert_eq!(folded.because(at_least(3)), "they have fewer than 3 tenants, and together with the smallest of the other groups enough");
    // With one group that is told there is nobody else to hide among.
    assert_eq!(told(3, &[("a", FOUR), ("d", &[9])]), ["2 others: 5 tenants, sum 49, mean 10", "all: 5 tenants, sum 49, mean 10"]);
}

#[test]
fn r104_of_fewer_tenants_than_were_asked_for_nothing_is_told_but_how_many_they_are_and_why() {
    assert_eq!(told(5, &[("a", FOUR)]), ["all: 4 tenants, too_few"]);
    assert_eq!(told(3, &[]), ["all: 0 tenants, too_few"]);
    assert_eq!(Withheld::TooFew.because(AtLeast::default()), "fewer than 5 tenants");
}

#[test]
fn r104_a_sum_of_which_one_tenant_has_more_than_four_fifths_is_withheld_and_so_is_what_it_is_computed_from() {
    // Four fifths are not more than four fifths.
    assert_eq!(told(3, &[("a", &[80, 10, 10])])[0], "a: 3 tenants, sum 100, mean 33");
    assert_eq!(told(3, &[("a", &[81, 10, 10])]), ["a: 3 tenants, dominated", "all: 3 tenants, dominated"]);
    // `d` is not needed to hide `a`, and `b` would not do.
    let all: [(&str, &[u64]); 4] = [("a", &[90, 5, 5]), ("b", &[1, 2, 3]), ("c", FOUR), ("d", &[100, 100, 100])];
    assert_eq!(
        told(3, &all),
        [
            "a: 3 tenants, dominated",
            "b: 3 tenants, sum 6, mean 2",
            "c: 4 tenants, would_tell",
            "d: 3 tenants, sum 300, mean 100",
            "all: 13 tenants, sum 446, mean 34"
        ]
    );
    // Two that hide each other need no third.
    let two: [(&str, &[u64]); 3] = [("a", &[90, 5, 5]), ("b", &[90, 5, 5]), ("c", FOUR)];
    assert_eq!(
        told(3, &two),
        ["a: 3 tenants, dominated", "b: 3 tenants, dominated", "c: 4 tenants, sum 40, mean 10", "all: 10 tenants, sum 240, mean 24"]
    );
    // Where the total is withheld, what is told leads nowhere.
    let great: [(&str, &[u64]); 2] = [("a", &[9000, 5, 5]), ("b", FOUR)];
    assert_eq!(told(3, &great), ["a: 3 tenants, dominated", "b: 4 tenants, sum 40, mean 10", "all: 7 tenants, dominated"]);
    // The others may be dominated like any group.
    let others: [(&str, &[u64]); 4] = [("a", FOUR), ("b", FOUR), ("d", &[1, 1]), ("e", &[95])];
    assert_eq!(
        told(3, &others),
        [
            "a: 4 tenants, would_tell",
            "b: 4 tenants, sum 40, mean 10",
            "2 others: 3 tenants, dominated",
            "all: 11 tenants, sum 177, mean 16"
        ]
    );
    assert_eq!(told(3, &[("a", &[0, 0, 0])])[0], "a: 3 tenants, sum 0, mean 0");
}

#[test]
fn r104_each_measure_is_withheld_by_itself() {
    let mut all = tenants(&[("a", FOUR)]);
    all[0].numbers[Measure::TempBytes as usize] = 1_000_000;
    let statistics = tell(at_least(3), &all);
    let told: Vec<_> =
        Measure::ALL.iter().zip(statistics.groups[0].told.figures).filter(|(_, figure)| matches!(figure, Figure::Told { .. })).collect();
    assert_eq!(told.len(), 4);
    assert_eq!(statistics.total.figures[Measure::TempBytes as usize], Figure::Withheld(Withheld::Dominated));
    let names: BTreeSet<&str> = Measure::ALL.iter().map(|measure| measure.as_str()).collect();
    assert_eq!(names.len(), Measure::ALL.len());
    assert!(Measure::ALL.iter().enumerate().all(|(at, measure)| *measure as usize == at));
}

#[test]
fn r104_a_number_that_no_sum_has_room_for_is_the_greatest_there_is() {
    assert_eq!(told(3, &[("a", &[u64::MAX; 3])])[0], format!("a: 3 tenants, sum {0}, mean {0}", u64::MAX));
}

#[test]
fn r104_a_purpose_is_said_on_one_line_and_becomes_the_reason_in_the_log() {
    let purpose: Purpose = " capacity for 2027 ".parse().unwrap();
    assert_eq!((purpose.as_str(), purpose.reason().as_str()), ("capacity for 2027", "capacity for 2027"));
    assert_eq!("å".repeat(200).parse::<Purpose>().unwrap().reason().as_str().chars().count(), 200);
    for bad in ["", "  ", "two\nlines", "a\u{1b}[2J", "a\0", &"å".repeat(201)] {
        assert_eq!(bad.parse::<Purpose>(), Err(InvalidPurpose), "{bad}");
    }
}

#[test]
fn r104_a_group_has_three_tenants_at_the_least_whoever_asks() {
    assert_eq!(AtLeast::default().get(), 5);
    for good in [3, 5, 1000] {
        assert_eq!(u32::from(at_least(good).get()), good);
    }
    for bad in [0, 1, 2, 1001, 65_536 + 5, u32::MAX] {
        assert_eq!(AtLeast::try_from(bad), Err(InvalidAtLeast(bad)));
    }
    for by in By::ALL {
        assert_eq!(by.as_str().parse(), Ok(by));
    }
    assert!("".parse::<By>().is_err() && "tenant".parse::<By>().unwrap_err().to_string().ends_with("`cluster`, `region`, `profile`"));
}

/// Tenants of up to six groups, some of which have much more than others.
fn any_tenants() -> impl Strategy<Value = Vec<Counted>> {
    let number = prop_oneof![Just(0), 1_u64..20, 1_u64..20, 50_u64..2000, Just(u64::MAX)];
    let group = prop::sample::select(vec![None, Some("a"), Some("b"), Some("c"), Some("d"), Some("e")]);
    let one = (group, number).prop_map(|(group, number)| Counted { group: group.map(str::to_owned), numbers: [number; 5] });
    prop::collection::vec(one, 0..40)
}

/// What can be computed from an answer, as sets of groups: every sum that is told by itself, and what the total leaves without them.
/// None of these overlap, so that whatever is added and subtracted is made of them.
fn known(counted: &[Counted], statistics: &Statistics) -> Vec<BTreeSet<GroupName>> {
    let is_told = |told: &Told| matches!(told.figures[0], Figure::Told { .. });
    let named: BTreeSet<GroupName> = statistics.groups.iter().map(|group| group.name.clone()).collect();
    let all: BTreeSet<GroupName> = counted.iter().map(|one| one.group.clone()).collect();
    let others: BTreeSet<GroupName> = all.difference(&named).cloned().collect();
    let groups = statistics.groups.iter().filter(|group| is_told(&group.told)).map(|group| BTreeSet::from([group.name.clone()]));
    let mut known: Vec<BTreeSet<GroupName>> = groups.collect();
    known.extend(statistics.others.iter().filter(|told| is_told(&told.told)).map(|_| others.clone()));
    if is_told(&statistics.total) {
        let left: BTreeSet<GroupName> = all.into_iter().filter(|name| !known.iter().any(|set| set.contains(name))).collect();
        known.extend((!left.is_empty()).then_some(left));
    }
    known
}

/// How many tenants of theirs there are, what they have together, and what one of them has at the most.
fn together(counted: &[Counted], groups: &BTreeSet<GroupName>) -> (usize, u128, u128) {
    let numbers: Vec<u128> = counted.iter().filter(|one| groups.contains(&one.group)).map(|one| one.numbers[0].into()).collect();
    (numbers.len(), numbers.iter().sum(), numbers.iter().copied().max().unwrap_or(0))
}

proptest! {
    #[test]
    fn r104_nothing_that_is_told_or_computed_is_of_fewer_tenants_than_asked_for_or_mostly_of_one(
        counted in any_tenants(),
        number in 3_u32..12,
    ) {
        let statistics = tell(at_least(number), &counted);
        let known = known(&counted, &statistics);
        for chosen in 1..1_u32 << known.len() {
            let groups = known.iter().enumerate().filter(|(at, _)| chosen & (1 << at) != 0).flat_map(|(_, set)| set.clone()).collect();
            let (tenants, sum, greatest) = together(&counted, &groups);
            prop_assert!(tenants >= number as usize, "{tenants} of {groups:?}: {statistics:?}");
            prop_assert!(greatest * 5 <= sum * 4, "{greatest} of {sum}, {groups:?}: {statistics:?}");
        }
        let named = statistics.groups.iter().map(|group| &group.told).chain(statistics.others.iter().map(|others| &others.told));
        prop_assert!(named.clone().all(|told| told.tenants >= number as usize));
        if !known.is_empty() {
            prop_assert_eq!(named.map(|told| told.tenants).sum::<usize>(), counted.len());
        }
    }

    #[test]
    fn r104_what_is_told_is_true(counted in any_tenants(), number in 3_u32..12) {
        let statistics = tell(at_least(number), &counted);
        for group in &statistics.groups {
            let (tenants, sum, _) = together(&counted, &BTreeSet::from([group.name.clone()]));
            prop_assert_eq!(group.told.tenants, tenants);
            if let Figure::Told { sum: told, .. } = group.told.figures[0] {
                prop_assert_eq!(told, u64::try_from(sum).unwrap_or(u64::MAX));
            }
        }
        prop_assert_eq!(statistics.total.tenants, counted.len());
    }

    #[test]
    fn r104_the_order_in_which_tenants_are_counted_tells_nothing(
        (counted, mixed) in any_tenants().prop_flat_map(|counted| (Just(counted.clone()), Just(counted).prop_shuffle())),
        number in 3_u32..12,
    ) {
        prop_assert_eq!(tell(at_least(number), &counted), tell(at_least(number), &mixed));
    }

    #[test]
    fn r104_groups_that_are_told_for_two_numbers_leave_no_group_that_is_too_small_for_both(
        counted in any_tenants(),
        numbers in prop::array::uniform2(3_u32..12),
    ) {
        // By how many tenants there are of what, before anything else is withheld.
        let least = numbers[0].min(numbers[1]) as usize;
        let [one, other] = numbers.map(|number| tell(at_least(number), &counted));
        let names = |statistics: &Statistics| statistics.groups.iter().map(|group| group.name.clone()).collect::<BTreeSet<_>>();
        let differ: BTreeSet<GroupName> = names(&one).symmetric_difference(&names(&other)).cloned().collect();
        let all: BTreeSet<GroupName> = counted.iter().map(|one| one.group.clone()).collect();
        let in_both: BTreeSet<GroupName> = all.into_iter().filter(|name| !names(&one).contains(name) && !names(&other).contains(name)).collect();
        for set in [differ, in_both].into_iter().filter(|set| !set.is_empty()) {
            prop_assert!(together(&counted, &set).0 >= least || counted.len() < numbers[0].max(numbers[1]) as usize, "{set:?}");
        }
    }
}
