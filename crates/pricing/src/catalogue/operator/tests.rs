use super::*;
use crate::time::moment_text;

fn read(name: &str, text: &str) -> Result<Catalogue, Vec<String>> {
    let file = PriceFile { name: name.to_owned(), text: text.to_owned() };
    operator(&[file]).map_err(|refusals| refusals.iter().map(Refusal::to_string).collect())
}

/// Each rule as its id, its end and its rates.
fn shown(catalogue: &Catalogue) -> Vec<String> {
    let rule = |rule: &crate::catalogue::Rule| {
        let to = rule.period.to.map_or("open".to_owned(), moment_text);
        let tier = |tier: &crate::catalogue::ContextTier| {
            let rates = tier.rates.iter().map(|(unit, rate)| format!(" {}={rate}", unit.name()));
            format!(" >{}{}", tier.over, rates.collect::<String>())
        };
        format!("{} to {to}{}", rule.id, rule.tiers.iter().map(tier).collect::<String>())
    };
    catalogue.rules().iter().map(rule).collect()
}

const TOML: &str = r#"
unit = "1K"

[[price]]
provider = "openai"
model = "GPT-5*"
tenant = "acme"
from = 2026-01-01
input_tokens = 0.0011
output_tokens = "0.009"

[[price]]
provider = "openai"
model = "gpt-5*"
tenant = "acme"
from = 2026-01-01
over = 200_000
input_tokens = 2.2e-3
output_tokens = 0.018

[[price]]
provider = "openai"
model = "gpt-5*"
tenant = "acme"
from = 2026-07-01T00:00:00+02:00
to = 2027-01-01
unit = "1M"
input_tokens = 1
output_tokens = 8

[[price]]
model = "llama-self-hosted"
service_tier = "*"
batch = "*"
currency = "EUR"
input_tokens = 0
output_tokens = 0
requests = 0.002
"#;

const CSV: &str = "\
# negotiated in 2026
provider,model,tenant,service_tier,batch,from,to,over,unit,currency,input_tokens,output_tokens,requests
openai,gpt-5*,acme,,,2026-01-01,,,1K,,0.0011,0.009,
openai,gpt-5*,acme,default,false,2026-01-01,,200000,1K,USD,0.0022,0.018,
openai,gpt-5*,acme,,,2026-06-30T22:00:00Z,2027-01-01,,,,1,8,
*,llama-self-hosted,,*,*,,,,1K,EUR,0,0,0.002
";

#[test]
fn toml_and_csv_say_the_same() {
    let (toml, csv) = (read("p.toml", TOML).expect("toml"), read("p.csv", CSV).expect("csv"));
    assert_eq!(
        shown(&toml),
        [
            "openai/gpt-5*;tenant=acme@2026-01-01 to 2026-06-30T22:00:00Z \
             >0 input_tokens=0.0011 per thousand output_tokens=0.009 per thousand \
             >200000 input_tokens=0.0022 per thousand output_tokens=0.018 per thousand",
            "openai/gpt-5*;tenant=acme@2026-06-30T22:00:00Z to 2027-01-01 \
             >0 input_tokens=1 per million output_tokens=8 per million",
            "*/llama-self-hosted+*+any batch to open \
             >0 input_tokens=0 per thousand output_tokens=0 per thousand requests=0.002 each",
        ]
    );
    assert_eq!(toml.version(), csv.version());
    assert_eq!(Catalogue::from_rows(toml.rows()).expect("its rows"), toml);
}

#[test]
fn a_bad_line_is_refused_with_its_reason_and_nothing_is_taken() {
    let good = "[[price]]\nmodel = \"ok\"\ninput_tokens = 1\n";
    for (line, reason) in [
        ("input_tokens = -1", "p.toml:6: `input_tokens`: the price `-1` is negative"),
        ("input_tokens = nan", "p.toml:6: `input_tokens`: the price `nan` is not a decimal number"),
        ("input_tokens = 0x10", "p.toml:6: `input_tokens` is neither text, number, date nor boolean"),
        ("input_tokens = 1\nunit = \"1B\"", "p.toml:7: `unit` is `1B`, not \"1M\", \"1K\" or \"1\""),
        ("input_token = 1", "p.toml:6: unknown key `input_token`"),
        ("web_searches = 1", "p.toml:6: unknown key `web_searches`"),
        ("from = 2026-01-01", "p.toml:5: no price"),
        (
            "cache_read_tokens = 1",
            "p.toml:6: a price for `cache_read_tokens` and none for `input_tokens`, of which they are a part",
        ),
        ("input_tokens = 1\nfrom = 2026-02-01\nto = 2026-02-01", "p.toml:8: `to` is not after `from`"),
        (
            "input_tokens = 1\nfrom = 2026-02-01T00:00:00",
            "p.toml:7: `from` is `2026-02-01T00:00:00`, not a date, nor a date and time with its offset",
        ),
        ("input_tokens = 1\ncurrency = \"euro\"", "p.toml:7: `currency` is `euro`, not a currency's code such as USD"),
        (
            "input_tokens = 1\nservice_tier = \"batch\"",
            "p.toml:7: batches are not a service tier here: say `batch = true`",
        ),
        ("input_tokens = 1\nover = 5", "p.toml:4: no price of the same calls and dates without `over`"),
        ("input_tokens = [1]", "p.toml:6: `input_tokens` is neither text, number, date nor boolean"),
    ] {
        let text = format!("{good}[[price]]\nmodel = \"x\"\n{line}\n");
        assert_eq!(read("p.toml", &text).map(|_| ()), Err(vec![reason.to_owned()]), "{line}");
    }
}

#[test]
fn a_file_that_cannot_be_read_says_where() {
    assert_eq!(
        read("p.yaml", "").map(|_| ()),
        Err(vec!["p.yaml:1: the name ends neither in .toml nor in .csv".to_owned()])
    );
    for (name, text, start) in [
        ("p.toml", "\n\n[[price]]\nmodel = \n", "p.toml:4: "),
        ("p.toml", "prices = 1", "p.toml:1: unknown key `prices`"),
        ("p.toml", "price = [1]", "p.toml:1: a price is not a table"),
        ("p.toml", "currency = \"EUR\"\n", "p.toml:1: it holds no price"),
        ("p.toml", "# [[price]]\n", "p.toml:1: it holds no price; leave the file out"),
        ("p.csv", "", "p.csv:1: it holds no price"),
        ("p.csv", "model;input_tokens\na;1,5\n", "p.csv:1: columns are separated by commas"),
        ("p.csv", "model,input_tokens\n", "p.csv:1: it holds no price"),
        ("p.csv", "model,input_tokens\na,1\nb,1,2\n", "p.csv:3: "),
        ("p.csv", "model,model\na,b\n", "p.csv:1: two columns `model`"),
        ("p.csv", "model,tokens\na,1\n", "p.csv:2: unknown key `tokens`"),
    ] {
        let refusals = read(name, text).expect_err(text);
        assert!(refusals[0].starts_with(start), "{refusals:?}");
    }
}

/// A price of `x` in the given dates, at the given line.
fn dated(periods: &[&str]) -> String {
    let prices = periods.iter().map(|period| format!("[[price]]\nmodel = \"x\"\n{period}\ninput_tokens = 1\n"));
    prices.collect()
}

#[test]
fn dates_of_the_same_calls_neither_overlap_nor_leave_a_gap() {
    let first = "from = 2026-01-01\nto = 2026-03-01";
    for (second, refused) in [
        ("from = 2026-03-01", None),
        ("from = 2026-02-28", Some("p.toml:6: overlaps with p.toml:1, which holds until 2026-03-01")),
        ("from = 2026-01-01", Some("p.toml:6: overlaps with p.toml:1, which also begins 2026-01-01")),
        (
            "from = 2026-03-02",
            Some(
                "p.toml:6: leaves a gap: p.toml:1 ends 2026-03-01 and this begins 2026-03-02; \
                 say `gap = true` if that is meant",
            ),
        ),
        ("from = 2026-03-02\ngap = true", None),
        ("to = 2026-01-01", None),
        ("tenant = \"acme\"", None),
    ] {
        let outcome = read("p.toml", &dated(&[first, second])).map(|_| ());
        assert_eq!(outcome, refused.map_or(Ok(()), |reason| Err(vec![reason.to_owned()])), "{second}");
    }
    let twice = read("p.toml", &dated(&["", ""])).map(|_| ());
    assert_eq!(twice, Err(vec!["p.toml:5: overlaps with p.toml:1, which also begins always before".to_owned()]));
}

#[test]
fn files_are_checked_against_one_another() {
    let file = |name: &str, text: &str| PriceFile { name: name.to_owned(), text: text.to_owned() };
    let one = file("a.toml", "[[price]]\nid = \"deal\"\nmodel = \"x\"\ninput_tokens = 1\n");
    let same_calls = file("b.csv", "model,input_tokens\nx,2\n");
    let same_name = file("c.csv", "id,model,input_tokens\ndeal,y,2\n");
    let reasons = |files: &[PriceFile]| -> Vec<String> {
        operator(files).expect_err("refused").iter().map(Refusal::to_string).collect()
    };
    assert_eq!(
        reasons(&[one.clone(), same_calls]),
        ["b.csv:2: overlaps with a.toml:1, which also begins always before"]
    );
    assert_eq!(reasons(&[one, same_name]), ["c.csv:2: the id `deal` is that of a.toml:1"]);
}
