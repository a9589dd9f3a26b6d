//! Each kind of tampering, made and named; the same against a real catalog is in the engine's tests.

use super::*;

/// A log in memory: rows and the head, as the catalog has them.
#[derive(Clone)]
struct Log {
    rows: Vec<Entry>,
    head: Head,
    marks: Vec<(i64, Hash)>,
}

fn content(text: &str) -> Content {
    Content {
        actor_kind: "system".into(),
        actor_id: None,
        actor_name: "dev".into(),
        action: "tenant.create".into(),
        environment: None,
        subject_kind: "tenant".into(),
        subject_id: text.into(),
        reason: None,
        detail: "{}".into(),
    }
}

fn entry(seq: i64, previous: &[u8], text: &str) -> Entry {
    let content = content(text);
    let hash = link(VERSION, previous, seq, seq * 1000, &content.digest());
    Entry { seq, at_micros: seq * 1000, version: VERSION, content, previous_hash: previous.into(), hash: hash.into() }
}

impl Log {
    fn of(length: i64) -> Self {
        let mut log = Self { rows: Vec::new(), head: Head { seq: 0, hash: GENESIS.into() }, marks: Vec::new() };
        (1..=length).for_each(|seq| log.append(&format!("t{seq}")));
        log
    }

    fn append(&mut self, text: &str) {
        let entry = entry(self.head.seq + 1, &self.head.hash, text);
        self.head = Head { seq: entry.seq, hash: entry.hash.clone() };
        self.rows.push(entry);
    }

    fn checkpoint(&mut self) {
        self.marks.push((self.head.seq, (*self.head.hash).try_into().unwrap()));
    }

    fn row(&mut self, seq: i64) -> &mut Entry {
        self.rows.iter_mut().find(|row| row.seq == seq).unwrap()
    }

    /// As the engine walks.
    fn verify(&self) -> Result<(), Break> {
        let mut rows: Vec<&Entry> = self.rows.iter().collect();
        rows.sort_by_key(|row| row.seq);
        let mut chain = Chain::new(self.marks.iter().copied());
        for row in rows {
            if !chain.continues(row) {
                let successors: Vec<Entry> = self.rows.iter().filter(|other| other.previous_hash == chain.last().hash).cloned().collect();
                return Err(chain.diagnose(row, &successors, self.head.seq));
            }
            chain.take(row)?;
        }
        chain.end(Some(&self.head))
    }

    fn after(&self, tamper: impl FnOnce(&mut Self)) -> Result<(), Break> {
        let mut log = self.clone();
        tamper(&mut log);
        log.verify()
    }
}

#[test]
fn an_untouched_log_verifies_empty_or_not_with_checkpoints_or_without() {
    let mut log = Log::of(0);
    log.checkpoint();
    assert_eq!(log.verify(), Ok(()));
    for _ in 0..3 {
        log.append("x");
        log.checkpoint();
        log.checkpoint();
        assert_eq!(log.verify(), Ok(()));
    }
}

#[test]
fn an_edit_of_any_column_of_any_entry_is_named() {
    let log = Log::of(5);
    let edits: [fn(&mut Entry); 8] = [
        |e| e.at_micros += 1,
        |e| e.version += 1,
        |e| e.content.actor_name = "x".into(),
        |e| e.content.reason = Some("x".into()),
        |e| e.content.detail = "[]".into(),
        |e| e.previous_hash = [1; 32].into(),
        |e| e.previous_hash = Box::new([]),
        |e| e.hash = [1; 32].into(),
    ];
    for seq in 1..=5 {
        for edit in edits {
            assert_eq!(log.after(|log| edit(log.row(seq))), Err(Break::Edited { seq }), "{seq}");
        }
        let renumbered = log.after(|log| log.row(seq).seq = 99);
        assert_eq!(renumbered, Err(Break::Reordered { seq, now_at: 99 }));
        // Edited with a hash that fits: the next one does not follow, or the head does not.
        let rehashed = log.after(|log| {
            let previous = log.row(seq).previous_hash.clone();
            *log.row(seq) = entry(seq, &previous, "forged");
        });
        let named = if seq == 5 { Break::HeadEdited { seq } } else { Break::Edited { seq } };
        assert_eq!(rehashed, Err(named), "{seq}");
    }
}

#[test]
fn removals_are_named_whether_or_not_the_hole_is_closed() {
    let log = Log::of(5);
    for seq in 1..=4 {
        assert_eq!(log.after(|log| log.rows.retain(|row| row.seq != seq)), Err(Break::Removed { seq, to: seq }));
        let closed = log.after(|log| {
            log.rows.retain(|row| row.seq != seq);
            log.rows.iter_mut().filter(|row| row.seq > seq).for_each(|row| row.seq -= 1);
        });
        assert_eq!(closed, Err(Break::Removed { seq, to: seq }), "{seq}");
    }
    assert_eq!(log.after(|log| log.rows.retain(|row| row.seq == 1 || row.seq == 5)), Err(Break::Removed { seq: 2, to: 4 }));
    assert_eq!(log.after(|log| log.rows.truncate(4)), Err(Break::Truncated { seq: 5, to: 5 }));
    assert_eq!(log.after(|log| log.rows.clear()), Err(Break::Truncated { seq: 1, to: 5 }));
}

#[test]
fn insertions_are_named_with_hashes_that_fit_and_with_others() {
    let log = Log::of(5);
    for seq in 1..=5 {
        let insert = |forge: fn(&mut Entry)| {
            log.after(|log| {
                let previous = log.row(seq).previous_hash.clone();
                log.rows.iter_mut().filter(|row| row.seq >= seq).for_each(|row| row.seq += 1);
                let mut forged = entry(seq, &previous, "forged");
                forge(&mut forged);
                log.rows.push(forged);
            })
        };
        assert_eq!(insert(|_| ()), Err(Break::Inserted { seq }), "{seq}");
        assert_eq!(insert(|forged| forged.hash = [7; 32].into()), Err(Break::Inserted { seq }), "{seq}");
        assert_eq!(insert(|forged| forged.previous_hash = [7; 32].into()), Err(Break::Inserted { seq }), "{seq}");
    }
    let before = log.after(|log| log.rows.push(entry(0, &GENESIS, "forged")));
    assert_eq!(before, Err(Break::Inserted { seq: 0 }));
    let behind = |text: &str, hash: Option<[u8; 32]>| {
        log.after(|log| {
            let mut forged = entry(6, &log.head.hash, text);
            forged.hash = hash.map_or(forged.hash, Into::into);
            log.rows.push(forged);
        })
    };
    assert_eq!(behind("forged", None), Err(Break::Inserted { seq: 6 }));
    assert_eq!(behind("forged", Some([1; 32])), Err(Break::Inserted { seq: 6 }));
}

#[test]
fn two_that_changed_places_are_named() {
    let log = Log::of(6);
    for (one, two) in [(1, 2), (2, 3), (2, 5), (1, 6), (5, 6)] {
        let swapped = log.after(|log| {
            log.rows.iter_mut().for_each(|row| {
                row.seq = if row.seq == one {
                    two
                } else if row.seq == two {
                    one
                } else {
                    row.seq
                }
            });
        });
        assert_eq!(swapped, Err(Break::Reordered { seq: one, now_at: two }));
    }
}

#[test]
fn a_chain_written_anew_and_an_end_cut_off_with_its_head_are_seen_by_checkpoints_only() {
    let mut log = Log::of(3);
    log.checkpoint();
    log.append("t4");
    log.append("t5");
    log.checkpoint();
    let anew = |from: i64| {
        log.after(|log| {
            let kept = log.rows.iter().filter(|row| row.seq < from).count();
            log.rows.truncate(kept);
            log.head = log.rows.last().map_or(Head { seq: 0, hash: GENESIS.into() }, |row| Head { seq: row.seq, hash: row.hash.clone() });
            (from..=5).for_each(|_| log.append("forged"));
        })
    };
    assert_eq!(anew(1), Err(Break::Rewritten { seq: 1, to: 3 }));
    assert_eq!(anew(3), Err(Break::Rewritten { seq: 1, to: 3 }));
    assert_eq!(anew(4), Err(Break::Rewritten { seq: 4, to: 5 }));
    let cut = log.after(|log| {
        log.rows.truncate(3);
        log.head = Head { seq: 3, hash: log.rows[2].hash.clone() };
    });
    assert_eq!(cut, Err(Break::Truncated { seq: 4, to: 5 }));
    let without = log.after(|log| {
        log.marks.clear();
        log.rows.truncate(3);
        log.head = Head { seq: 3, hash: log.rows[2].hash.clone() };
    });
    assert_eq!(without, Ok(()), "the chain alone cannot know");
}

#[test]
fn a_head_that_is_gone_or_wrong_is_named() {
    let log = Log::of(2);
    assert_eq!(log.after(|log| log.head.hash = [1; 32].into()), Err(Break::HeadEdited { seq: 2 }));
    assert_eq!(log.after(|log| log.head.seq = 1), Err(Break::Inserted { seq: 2 }));
    assert_eq!(log.after(|log| log.head.seq = 3), Err(Break::Truncated { seq: 3, to: 3 }));
}

#[test]
fn times_are_those_of_postgresql() {
    assert_eq!(Entry { at_micros: 0, ..entry(1, &GENESIS, "x") }.at().to_string(), "2000-01-01T00:00:00Z");
    assert_eq!(Entry { at_micros: i64::MAX, ..entry(1, &GENESIS, "x") }.at(), Timestamp::MAX, "`infinity`");
}
