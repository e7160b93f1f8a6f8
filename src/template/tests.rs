//! Tables of templates. What is expected is what `docker ps --format` of Docker 28.2 printed for the same.

use super::value::Method;
use super::*;

fn data() -> Value {
    let port = |number| {
        Value::from(Record {
            fields: vec![("URL", "0.0.0.0".into()), ("PublishedPort", Value::Int(number))],
            ..Record::default()
        })
    };
    let label: Method = std::sync::Arc::new(|name| format!("<{name}>"));
    Record {
        fields: vec![
            ("ID", "0123456789ab".into()),
            ("Name", "shop-api-1".into()),
            ("Empty", "".into()),
            ("ExitCode", Value::Int(3)),
            ("Publishers", Value::List(vec![port(80), port(443)])),
        ],
        methods: vec![("Label", label)],
        open: false,
    }
    .into()
}

#[test]
fn templates_give_what_docker_gives() {
    let cases = [
        ("plain", "plain"),
        ("", ""),
        ("{{.Name}} {{ .ID }}", "shop-api-1 0123456789ab"),
        ("{{.ExitCode}}|{{.Empty}}|{{.Publishers}}", "3||[{0.0.0.0 80} {0.0.0.0 443}]"),
        ("{{.Label \"a.b\"}}{{with .Label `x`}}={{.}}{{end}}", "<a.b>=<x>"),
        ("{{$.Label \"x\"}}{{if eq (.Label \"x\") \"<x>\"}}!{{end}}", "<x>!"),
        ("{{\"x\" | .Label}}", "<x>"),
        // Blocks.
        ("{{if .Empty}}a{{else}}b{{end}}", "b"),
        ("{{if .Empty}}a{{else if .ExitCode}}b{{else}}c{{end}}", "b"),
        ("{{if .Empty}}a{{else if eq .ExitCode 4}}b{{else}}c{{end}}d", "cd"),
        ("{{with .Empty}}a{{else with .Name}}{{.}}{{end}}", "shop-api-1"),
        ("{{with .Name}}{{.}}{{$.ID}}{{else}}none{{end}}", "shop-api-10123456789ab"),
        ("{{range .Publishers}}{{.PublishedPort}},{{end}}", "80,443,"),
        ("{{range $i, $p := .Publishers}}{{$i}}={{$p.PublishedPort}};{{end}}", "0=80;1=443;"),
        ("{{range $p := .Publishers}}{{$p.URL}} {{end}}", "0.0.0.0 0.0.0.0 "),
        ("{{range split .Empty \",\"}}[{{.}}]{{else}}none{{end}}", "[]"),
        ("{{range slice (split \"a,b\" \",\") 2}}x{{else}}none{{end}}", "none"),
        ("{{range 3}}{{.}}{{end}}", "012"),
        ("{{range 9}}{{if eq . 1}}{{continue}}{{end}}{{if eq . 3}}{{break}}{{end}}{{.}}{{end}}", "02"),
        ("{{$a := 3}}{{$a = 4}}{{$a}}", "4"),
        ("{{$n := 0}}{{range $n = 4}}{{end}}{{$n}}", "3"),
        ("{{$a := 1}}{{if true}}{{$a := 2}}{{end}}{{$a}}", "1"),
        // Blanks and comments.
        ("a {{- 1 -}} b", "a1b"),
        ("a {{/* comment */}} b{{- /* and another */ -}} c", "a  bc"),
        ("{{- \"x\" }}\n{{ \"y\" -}}\n", "x\ny"),
        ("{{-1}}", "-1"),
        ("{{ .Name\n | upper }}", "SHOP-API-1"),
        // Values.
        (
            "{{1.5}} {{true}} {{\"q\\t\\u00e9\\\"\"}} {{`r\\t`}} {{0x1F}} {{1_000}} {{-3}}",
            "1.5 true q\té\" r\\t 31 1000 -3",
        ),
        ("{{1e30}} {{100000.0}} {{0.00001}}", "1e+30 100000 1e-05"),
        // Functions.
        ("{{upper \"aé\"}}{{lower \"AÉ\"}}{{title \"hello wo-rld it's\"}}", "AÉaéHello Wo-Rld It'S"),
        ("{{split \"a-b\" \"-\"}} {{join (split \"a,b\" \",\") \"-\"}}", "[a b] a-b"),
        (
            "[{{pad \"x\" 2 3}}][{{pad \"\" 2 3}}][{{truncate \"abcdef\" 3}}][{{truncate \"ab\" 3}}]",
            "[  x   ][][abc][ab]",
        ),
        ("{{print 1 2 \"a\" \"b\" 3}}|{{println \"x\" 1}}|", "1 2ab3|x 1\n|"),
        ("{{len \"äb\"}}{{len .Publishers}}", "32"),
        ("{{index (split \"a,b\" \",\") 1}}{{index \"ab\" 0}}{{(index .Publishers 1).PublishedPort}}", "b97443"),
        ("{{slice \"shop\" 1 3}}", "ho"),
        ("{{not true}} {{and 1 0}} {{or 0 \"x\"}} {{and 1 2}} {{or 0 \"\"}}|", "false 0 x 2 |"),
        ("{{or true (index .Name 99)}}", "true"),
        (
            "{{eq 1 2 1}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt \"b\" \"a\"}} {{ge 1 2}}",
            "true true true true true false",
        ),
        ("{{.Name | printf \"%s-%d\" \"x\"}}", "x-%!d(string=shop-api-1)"),
        ("{{html \"<a & b>\"}} {{js \"it's\"}}", "&lt;a &amp; b&gt; it\\'s"),
        ("{{json .Name}} {{json 3}} {{json \"a<b\"}}", "\"shop-api-1\" 3 \"a<b\""),
        ("{{json (index .Publishers 0)}}", "{\"URL\":\"0.0.0.0\",\"PublishedPort\":80}"),
        // printf.
        ("{{printf \"%5d|%-5d|%05d|%+d|%x|%X|%b|%c\" 42 42 42 42 255 255 5 65}}", "   42|42   |00042|+42|ff|FF|101|A"),
        (
            "{{printf \"%6s|%-6s|%.2s|%q|%x\" \"ab\" \"ab\" \"abc\" \"a\\\"b\" \"hi\"}}",
            "    ab|ab    |ab|\"a\\\"b\"|6869",
        ),
        ("{{printf \"%v %v %t %.2f %e %g %%\" \"a\" 1 true 1.005 12345.678 0.5}}", "a 1 true 1.00 1.234568e+04 0.5 %"),
        ("{{printf \"%*d|%d\" 4 7}}", "   7|%!d(MISSING)"),
        ("{{printf \"x\" 1 \"a\"}}", "x%!(EXTRA int=1, string=a)"),
        ("{{printf \"%q\" (split \"a,b\" \",\")}}{{printf \"%\"}}", "[\"a\" \"b\"]%!(NOVERB)"),
    ];
    for (source, want) in cases {
        let got = Template::new(source).and_then(|template| template.fill(&data(), Functions::All));
        assert_eq!(got.as_deref(), Ok(want), "{source}");
    }
}

#[test]
fn a_record_writes_itself_as_json() {
    let record = Record { fields: vec![("A", "x->y".into()), ("B", Value::Bool(true))], ..Record::default() };
    assert_eq!(Value::from(record).json(), r#"{"A":"x-\u003ey","B":true}"#);
}

#[test]
fn a_heads_functions_leave_its_words() {
    let head = Record { fields: vec![("Name", "NAME".into())], open: true, ..Record::default() };
    let cases = [
        ("{{.Name}}\t{{.Other}}", "NAME\t<no value>"),
        (
            "{{lower .Name}} {{split .Name \"A\"}} {{json .Name}} {{truncate .Name 1}} {{pad .Name 1 1}}",
            "NAME NAME NAME NAME  NAME ",
        ),
        ("{{len .Name}}{{range .Other}}x{{end}}", "4"),
    ];
    for (source, want) in cases {
        let filled = Template::new(source).unwrap().fill(&head.clone().into(), Functions::Head);
        assert_eq!(filled.as_deref(), Ok(want), "{source}");
    }
}

#[test]
fn what_is_wrong_has_a_place_and_what_was_expected() {
    let cases = [
        ("{{.Zzzzz}}", "1:3: there is no field .Zzzzz; there are ID, Name, Empty, ExitCode, Publishers, Label"),
        ("x\n {{.Nam}}", "2:4: there is no field .Nam; did you mean .Name?"),
        ("{{.ID.X}}", "1:6: there is no field .X in a string"),
        ("{{.ID 3}}", "1:3: .ID takes no arguments"),
        ("{{3 | .ID}}", "1:7: .ID takes no arguments"),
        ("{{.Label}}", "1:3: .Label takes one text, such as .Label \"x\", and got 0 arguments"),
        ("{{.Label 3}}", "1:3: .Label takes a text, and got a int"),
        ("é{{.Label \"a\" \"b\"}}", "1:4: .Label takes one text, such as .Label \"x\", and got 2 arguments"),
        ("{{nope}}", "1:3: there is no function nope; there are and, eq"),
        ("{{.ID", "1:1: this action has no end; expected `}}`"),
        ("{{", "1:1: this action has no end; expected `}}`"),
        ("a{{if .ID}}b", "1:4: this `if` has no end; expected `{{end}}`"),
        ("{{range .ID}}b{{else}}", "1:3: this `range` has no end"),
        ("{{if .ID}}b{{else if}}{{end}}", "1:21: `if` lacks a value"),
        ("{{if .ID}}b{{else}}{{else}}{{end}}", "1:22: unexpected `else`; expected `end`"),
        ("{{end}}", "1:3: unexpected `end`; there is no"),
        ("{{else}}", "1:3: unexpected `else`; there is no"),
        ("{{if}}x{{end}}", "1:5: `if` lacks a value"),
        ("{{}}", "1:3: an action lacks a value"),
        ("{{.ID | }}", "1:9: an action lacks a value"),
        ("{{(.ID}}", "1:7: unexpected `}}`; expected `)`"),
        ("{{.ID)}}", "1:6: unexpected `)`; expected `}}`"),
        ("{{.ID!}}", "1:6: unexpected '!'"),
        ("{{'a'}}", "1:3: unexpected `'`; a text stands in double quotes"),
        ("{{\"a}}", "1:3: the text has no end; expected a double quote"),
        ("{{`a}}", "1:3: the text has no end; expected a backquote"),
        ("{{\"\\q\"}}", "1:4: unknown escape `\\q`"),
        ("{{\"\\u12\"}}", "1:4: `\\u` needs 4 hexadecimal digits"),
        ("{{/* a", "1:1: the comment has no end"),
        ("{{$x}}", "1:3: there is no variable $x"),
        ("{{$x = 1}}", "1:6: there is no variable $x; `:=` declares one"),
        ("{{if true}}{{$x := 1}}{{end}}{{$x}}", "1:32: there is no variable $x"),
        ("{{$a, $b := 1}}", "1:3: two variables are for `range` alone"),
        ("{{1 2}}", "1:3: this is no function"),
        ("{{nil}}", "1:3: `nil` is no value to show"),
        ("{{12x}}", "1:3: `12x` is no number"),
        ("{{break}}", "1:3: `break` outside of a `range`"),
        ("{{template \"x\"}}", "1:3: `template` is not part of these templates"),
        ("{{range .ID}}{{end}}", "1:9: `range` goes over a list or a number, and this is a string"),
        ("{{lt 1 \"a\"}}", "1:3: lt: a int and a string cannot be compared"),
        ("{{upper 3}}", "1:3: upper: expected a text, and got a int"),
        ("{{upper}}", "1:3: upper: it takes a text, and got 0 arguments"),
        ("{{index \"a\" 1}}", "1:3: index: 1 is out of range: the length is 1"),
        ("{{slice \"é\" 1}}", "1:3: slice: 1 to 2 is no part of it"),
        ("{{pad \"a\" 1}}", "1:3: pad: it takes a text, and the numbers of blanks"),
        ("{{pad \"a\" -1 0}}", "1:3: pad: -1 is no number of blanks"),
        ("{{range 99999999}}{{end}}", "1:1: the template goes on for too long"),
        ("{{printf \"%99999999d\" 1}}", "1:3: printf: 99999999 in the format is more than"),
    ];
    for (source, want) in cases {
        let got = Template::new(source).and_then(|template| template.fill(&data(), Functions::All));
        let got = got.expect_err(source).to_string();
        assert!(got.starts_with(want), "{source}\n got: {got}\nwant: {want}");
    }
}

#[test]
fn how_deep_and_how_long_is_bounded() {
    for (open, close) in [("{{if true}}", "{{end}}"), ("{{range 2}}", "{{end}}")] {
        let deep = |count: usize| Template::new(&format!("{}x{}", open.repeat(count), close.repeat(count)));
        assert!(deep(60).is_ok());
        assert!(deep(100_000).unwrap_err().message.contains("within each other"));
        if open == "{{range 2}}" {
            let error = deep(60).unwrap().fill(&Value::Nil, Functions::All).unwrap_err();
            assert_eq!(error.message, "the template goes on for too long");
        }
    }
    let deep = |count: usize| Template::new(&format!("{{{{{}1{}}}}}", "(".repeat(count), ")".repeat(count)));
    assert_eq!(deep(60).unwrap().fill(&Value::Nil, Functions::All).as_deref(), Ok("1"));
    assert!(deep(100_000).is_err());
    let otherwise = |count: usize| format!("{{{{if false}}}}{}{{{{end}}}}", "{{else if false}}".repeat(count));
    assert!(Template::new(&otherwise(50)).is_ok());
    assert!(Template::new(&otherwise(100_000)).is_err());
    // A text that doubles with each turn.
    let doubling = "{{$x := \"ab\"}}{{range 99}}{{$x = print $x $x}}{{end}}";
    let error = Template::new(doubling).unwrap().fill(&Value::Nil, Functions::All).unwrap_err();
    assert_eq!(error.message, "print: the text becomes too long");
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(source in "([{}.$|()\"` a-z=:,-]|\\{\\{|\\}\\}|if |end|range |\\.ID|else){0,40}") {
        if let Ok(template) = Template::new(&source) {
            let _ = template.fill(&data(), Functions::All);
        }
    }
}
