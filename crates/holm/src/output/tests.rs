//! What every answer and every problem looks like, whoever made its text.

use holm_core::error::{Changed, ErrorCode};

use super::*;

#[derive(Serialize)]
struct Orchestra {
    slug: String,
    note: Option<String>,
    seats: i64,
}

impl Row for Orchestra {
    const COLUMNS: &'static [&'static str] = &["TENANT", "SEATS", "NOTE"];
    const BRIEF: usize = 2;

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::of(&self.slug), Cell::Number(self.seats), self.note.clone().into()]
    }

    fn name(&self) -> String {
        self.slug.clone()
    }
}

fn orchestra(slug: &str, note: Option<&str>, seats: i64) -> Orchestra {
    Orchestra { slug: slug.into(), note: note.map(str::to_owned), seats }
}

/// What somebody could put into a field to break a terminal, a spreadsheet or a parser.
const HOSTILE: &str = "=cmd|' /C calc'!A0\n\u{1b}[2J\u{9b}31m\r\u{202e}\"x\",\0";

fn render(answer: &Answer, format: Format) -> String {
    answer.render(format, None).unwrap()
}

#[test]
fn a_list_is_the_same_in_every_format() {
    let list = Answer::list(&[orchestra("goteborg", None, 12), orchestra("malmo", Some("a, \"b\""), 7)]);
    insta::assert_snapshot!(render(&list, Format::Table), @r"
    TENANT    SEATS
    goteborg     12
    malmo         7
    ");
    insta::assert_snapshot!(render(&list, Format::Csv), @r#"
    tenant,seats,note
    goteborg,12,
    malmo,7,"a, ""b"""
    "#);
    insta::assert_snapshot!(render(&list, Format::Name), @r"
    goteborg
    malmo
    ");
    insta::assert_snapshot!(render(&list, Format::Jsonl), @r#"
    {"ok":true,"data":{"note":null,"seats":12,"slug":"goteborg"},"error":null,"operation":null}
    {"ok":true,"data":{"note":"a, \"b\"","seats":7,"slug":"malmo"},"error":null,"operation":null}
    "#);
    insta::assert_snapshot!(render(&list, Format::Yaml), @r#"
    ok: true
    data:
    - note: null
      seats: 12
      slug: goteborg
    - note: a, "b"
      seats: 7
      slug: malmo
    error: null
    operation: null
    "#);
}

#[test]
fn one_thing_is_shown_with_all_that_is_known_of_it() {
    let one = Answer::one(&orchestra("goteborg", None, 12));
    insta::assert_snapshot!(render(&one, Format::Table), @r"
    tenant  goteborg
    seats   12
    note    -
    ");
    let chosen = one.render(Format::Table, Some(&["note".into(), " Tenant".into()])).unwrap();
    insta::assert_snapshot!(chosen, @r"
    note    -
    tenant  goteborg
    ");
}

#[test]
fn a_column_that_is_not_there_is_refused_with_those_that_are() {
    let problem = Answer::list(&[orchestra("a", None, 1)]).render(Format::Csv, Some(&["size".into()])).unwrap_err();
    assert_eq!(problem.next, ["the columns are tenant, seats, note"]);
}

#[test]
fn an_empty_list_is_a_heading_or_an_empty_array_and_never_nothing_to_parse() {
    let empty = Answer::list::<Orchestra>(&[]);
    assert_eq!(render(&empty, Format::Table).trim(), "TENANT  SEATS");
    assert_eq!(render(&empty, Format::Csv), "tenant,seats,note\n");
    assert!(render(&empty, Format::Json).contains("\"data\": []"));
    assert_eq!(render(&empty, Format::Jsonl), "");
}

#[test]
fn a_list_that_is_part_of_something_is_shown_to_people_and_given_whole_to_programs() {
    let part = Answer::parts(&serde_json::json!({"season": 2026}), &[orchestra("goteborg", None, 12)]);
    assert_eq!(render(&part, Format::Csv), "tenant,seats,note\ngoteborg,12,\n");
    assert_eq!(render(&part, Format::Name), "goteborg\n");
    assert!(render(&part, Format::Table).starts_with("TENANT"));
    assert!(render(&part, Format::Jsonl).contains("\"data\":{\"season\":2026}"));
}

#[test]
fn no_cell_reaches_the_terminal_as_more_than_text() {
    for look in [Answer::list(&[orchestra(HOSTILE, None, 1)]), Answer::one(&orchestra("a", Some(HOSTILE), 1))] {
        for format in [Format::Table, Format::Name, Format::Csv] {
            let text = render(&look, format);
            let acting = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(acting), "{format:?}: {text:?}");
        }
    }
    assert_eq!(render(&Answer::list(&[orchestra(HOSTILE, None, 1)]), Format::Table).lines().count(), 2, "a row is one line");
}

#[test]
fn a_cell_reads_back_from_csv_json_and_yaml_and_is_never_a_formula() {
    let answer = Answer::one(&orchestra("a", Some(HOSTILE), -3));
    let text = render(&answer, Format::Csv);
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let row = reader.records().next().unwrap().unwrap();
    assert_eq!(&row[1], "-3", "a number stays one");
    assert!(row[2].starts_with("'=cmd") && row[2].contains("\n\\u{1b}[2J"), "{:?}", &row[2]);
    for (formula, begins) in [("+1", "'+1"), ("-1", "'-1"), ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "\\t=1"), ("a=1", "a=1")] {
        let text = render(&Answer::one(&orchestra("a", Some(formula), 1)), Format::Csv);
        assert!(text.contains(&format!("a,1,{begins}")), "{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&render(&answer, Format::Json)).unwrap();
    assert_eq!(json["data"]["note"], HOSTILE);
    let yaml: serde_json::Value = serde_yaml_ng::from_str(&render(&answer, Format::Yaml)).unwrap();
    assert_eq!(yaml, json, "YAML says the same as JSON");
}

#[test]
fn a_problem_says_what_why_whether_anything_changed_and_what_to_do() {
    let problem = Problem::new(ErrorCode::TenantNotFound, "no tenant `gotborg` in `production`\u{1b}[2J")
        .because("it has `goteborg`")
        .changed(Changed::Nothing)
        .next("holm tenant list --env production");
    insta::assert_snapshot!(anstream::adapter::strip_str(&render_problem(&problem)), @r"
    HOLM-1104  no tenant `gotborg` in `production`\u{1b}[2J
      why: it has `goteborg`
      changed: nothing
      → holm tenant list --env production
    ");
    for format in [Format::Json, Format::Jsonl] {
        let value: serde_json::Value = serde_json::from_str(&render_failure(&problem, format)).unwrap();
        assert_eq!((value["ok"].as_bool(), value["error"]["code"].as_str()), (Some(false), Some("HOLM-1104")));
    }
    let value: serde_json::Value = serde_yaml_ng::from_str(&render_failure(&problem, Format::Yaml)).unwrap();
    assert_eq!(value["error"]["changed"], "nothing");
    assert_eq!(render_failure(&problem, Format::Csv), "");
}
