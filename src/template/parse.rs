//! From words to a tree. A tree is at most [`DEPTH`] deep, so that whoever walks it needs no bound of his own.

use super::fault::Fault;
use super::functions;
use super::lex::{Placed, Token, tokens};

/// Blocks and parentheses within each other.
const DEPTH: usize = 64;

/// A part of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Action(Pipeline),
    If { on: Pipeline, then: Vec<Node>, otherwise: Vec<Node> },
    With { on: Pipeline, then: Vec<Node>, otherwise: Vec<Node> },
    Range { on: Pipeline, then: Vec<Node>, otherwise: Vec<Node> },
    Break,
    Continue,
}

/// `$x := a | b`.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    pub at: usize,
    /// Variables that take its value.
    pub variables: Vec<String>,
    /// They are there already (`=`).
    pub assigns: bool,
    pub commands: Vec<Command>,
}

/// A function, field or value with its arguments.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub first: Operand,
    pub rest: Vec<Operand>,
}

#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub at: usize,
    pub what: What,
    /// `.A.B` behind it, each with its place.
    pub fields: Vec<(usize, String)>,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Dot,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Variable(String),
    Function(String),
    Pipe(Box<Pipeline>),
}

/// What ended a list of nodes.
enum Stop {
    Source,
    End,
    Else,
}

struct Parser {
    tokens: Vec<Placed>,
    next: usize,
    /// Where the source ends.
    end: usize,
    depth: usize,
    loops: usize,
    /// Names that are declared here.
    variables: Vec<String>,
}

/// Reads a template.
pub(super) fn parse(source: &str) -> Result<Vec<Node>, Fault> {
    let tokens = tokens(source)?;
    let mut parser = Parser { tokens, next: 0, end: source.len(), depth: 0, loops: 0, variables: vec![String::new()] };
    let (nodes, end, at) = parser.list()?;
    match end {
        Stop::Source => Ok(nodes),
        Stop::End => Err(Fault::new(at, "unexpected `end`; there is no `if`, `range` or `with` before it")),
        Stop::Else => Err(Fault::new(at, "unexpected `else`; there is no `if`, `range` or `with` before it")),
    }
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(at, _)| *at)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).map(|(_, token)| token.clone());
        self.next += 1;
        token
    }

    fn blanks(&mut self) {
        while self.peek() == Some(&Token::Blank) {
            self.next += 1;
        }
    }

    fn sign(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Sign(here)) if *here == sign);
        self.next += usize::from(is);
        is
    }

    fn word(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Word(here)) if here == word);
        self.next += usize::from(is);
        is
    }

    fn close(&mut self) -> Result<(), Fault> {
        self.blanks();
        let at = self.at();
        match self.take() {
            Some(Token::Close) => Ok(()),
            token => Err(Fault::new(at, format!("unexpected {}; expected `}}}}`", shown(token.as_ref())))),
        }
    }

    fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Fault::new(self.at(), format!("more than {DEPTH} blocks or parentheses within each other")));
        }
        Ok(())
    }

    /// Nodes up to an `end`, an `else` (taken without its `}}`) or the end of the source.
    fn list(&mut self) -> Result<(Vec<Node>, Stop, usize), Fault> {
        let mut nodes = Vec::new();
        loop {
            let at = self.at();
            match self.take() {
                None => return Ok((nodes, Stop::Source, at)),
                Some(Token::Text(text)) => nodes.push(Node::Text(text)),
                Some(_) => {
                    self.blanks();
                    let at = self.at();
                    if self.word("end") {
                        self.close()?;
                        return Ok((nodes, Stop::End, at));
                    }
                    if self.word("else") {
                        return Ok((nodes, Stop::Else, at));
                    }
                    nodes.push(self.node(at)?);
                }
            }
        }
    }

    fn node(&mut self, at: usize) -> Result<Node, Fault> {
        for word in ["if", "with", "range"] {
            if self.word(word) {
                return self.block(at, word);
            }
        }
        for word in ["break", "continue"] {
            if self.word(word) {
                self.close()?;
                if self.loops == 0 {
                    return Err(Fault::new(at, format!("`{word}` outside of a `range`")));
                }
                return Ok(if word == "break" { Node::Break } else { Node::Continue });
            }
        }
        if let Some(Token::Word(word)) = self.peek()
            && matches!(word.as_str(), "define" | "template" | "block")
        {
            return Err(Fault::new(at, format!("`{word}` is not part of these templates; write what it stands for")));
        }
        let pipeline = self.pipeline("an action")?;
        self.close()?;
        Ok(Node::Action(pipeline))
    }

    fn block(&mut self, at: usize, word: &str) -> Result<Node, Fault> {
        self.deeper()?;
        let known = self.variables.len();
        let on = self.pipeline(&format!("`{word}`"))?;
        if on.variables.len() > 1 && word != "range" {
            return Err(Fault::new(on.at, format!("`{word}` declares one variable at most")));
        }
        self.close()?;
        self.loops += usize::from(word == "range");
        let (then, end, _) = self.list()?;
        self.loops -= usize::from(word == "range");
        let otherwise = match end {
            Stop::End => Vec::new(),
            Stop::Source => return Err(missing_end(at, word)),
            Stop::Else => {
                self.blanks();
                let nested = self.at();
                let chained = ["if", "with"].into_iter().find(|other| *other == word && self.word(other));
                match chained {
                    // `else if` is an `if` in the `else`, which has its `end`.
                    Some(word) => vec![self.block(nested, word)?],
                    None => {
                        self.close()?;
                        let (otherwise, end, at_end) = self.list()?;
                        match end {
                            Stop::End => otherwise,
                            Stop::Source => return Err(missing_end(at, word)),
                            Stop::Else => return Err(Fault::new(at_end, "unexpected `else`; expected `end`")),
                        }
                    }
                }
            }
        };
        self.variables.truncate(known);
        self.depth -= 1;
        Ok(match word {
            "if" => Node::If { on, then, otherwise },
            "with" => Node::With { on, then, otherwise },
            _ => Node::Range { on, then, otherwise },
        })
    }

    fn pipeline(&mut self, of: &str) -> Result<Pipeline, Fault> {
        self.deeper()?;
        self.blanks();
        let at = self.at();
        let (variables, assigns) = self.variables()?;
        let mut commands = Vec::new();
        loop {
            self.blanks();
            let first_at = self.at();
            let Some(first) = self.operand()? else {
                let message = format!("{of} lacks a value; expected a field such as .Name, a function or a text");
                return Err(Fault::new(first_at, message));
            };
            let mut rest = Vec::new();
            while self.peek() == Some(&Token::Blank) {
                self.blanks();
                match self.operand()? {
                    Some(operand) => rest.push(operand),
                    None => break,
                }
            }
            commands.push(Command { first, rest });
            self.blanks();
            if !self.sign("|") {
                break;
            }
        }
        // In the pipeline itself they are not known yet.
        if !assigns {
            self.variables.extend(variables.iter().cloned());
        }
        self.depth -= 1;
        Ok(Pipeline { at, variables, assigns, commands })
    }

    /// `$x :=`, `$x =`, `$i, $x :=`; none where there is something else.
    fn variables(&mut self) -> Result<(Vec<String>, bool), Fault> {
        let start = self.next;
        let mut names = Vec::new();
        while let Some(Token::Variable(name)) = self.peek() {
            let name = name.clone();
            self.next += 1;
            self.blanks();
            names.push(name);
            if !self.sign(",") {
                break;
            }
            self.blanks();
        }
        let at = self.at();
        let assigns = self.sign("=");
        if names.is_empty() || !(assigns || self.sign(":=")) {
            self.next = start;
            return Ok((Vec::new(), false));
        }
        if names.len() > 2 {
            return Err(Fault::new(at, "more than two variables"));
        }
        if let Some(name) = names.iter().find(|name| assigns && !self.variables.contains(name)) {
            return Err(Fault::new(at, format!("there is no variable ${name}; `:=` declares one")));
        }
        Ok((names, assigns))
    }

    fn operand(&mut self) -> Result<Option<Operand>, Fault> {
        let at = self.at();
        let mut fields = Vec::new();
        let what = match self.peek() {
            Some(Token::Field(name)) => {
                if !name.is_empty() {
                    fields.push((at, name.clone()));
                }
                What::Dot
            }
            Some(Token::Variable(name)) => {
                if !self.variables.contains(name) {
                    return Err(Fault::new(at, format!("there is no variable ${name}")));
                }
                What::Variable(name.clone())
            }
            Some(Token::Quoted(text)) => What::Text(text.clone()),
            Some(Token::Number(text)) => number(text, at)?,
            Some(Token::Word(word)) => match word.as_str() {
                "true" | "false" => What::Bool(word == "true"),
                "nil" => What::Nil,
                word => {
                    if !functions::NAMES.contains(&word) {
                        let known = functions::NAMES.join(", ");
                        return Err(Fault::new(at, format!("there is no function {word}; there are {known}")));
                    }
                    What::Function(word.to_owned())
                }
            },
            Some(Token::Sign("(")) => {
                self.next += 1;
                let pipeline = self.pipeline("the parenthesis")?;
                self.blanks();
                if !matches!(self.peek(), Some(Token::Sign(")"))) {
                    let message = format!("unexpected {}; expected `)`", shown(self.peek()));
                    return Err(Fault::new(self.at(), message));
                }
                What::Pipe(Box::new(pipeline))
            }
            _ => return Ok(None),
        };
        self.next += 1;
        while let Some(Token::Field(name)) = self.peek() {
            if name.is_empty() {
                return Err(Fault::new(self.at(), "expected the name of a field after the dot"));
            }
            fields.push((self.at(), name.clone()));
            self.next += 1;
        }
        Ok(Some(Operand { at, what, fields }))
    }
}

fn missing_end(at: usize, word: &str) -> Fault {
    Fault::new(at, format!("this `{word}` has no end; expected `{{{{end}}}}`"))
}

fn number(text: &str, at: usize) -> Result<What, Fault> {
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let radix = |prefix: &str, radix| {
        let digits = digits.strip_prefix(prefix)?;
        i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
    };
    if let Some(number) = radix("0x", 16).or_else(|| radix("0b", 2)).or_else(|| radix("0o", 8)) {
        return Ok(What::Int(number));
    }
    if let Ok(number) = plain.parse() {
        return Ok(What::Int(number));
    }
    match plain.parse::<f64>() {
        Ok(number) if number.is_finite() && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            Ok(What::Float(number))
        }
        _ => Err(Fault::new(at, format!("`{text}` is no number"))),
    }
}

fn shown(token: Option<&Token>) -> String {
    match token {
        None | Some(Token::Text(_) | Token::Open) => "the end".to_owned(),
        Some(Token::Close) => "`}}`".to_owned(),
        Some(Token::Word(word)) => format!("`{word}`"),
        Some(Token::Field(name)) => format!("`.{name}`"),
        Some(Token::Variable(name)) => format!("`${name}`"),
        Some(Token::Quoted(text)) => format!("the text {text:?}"),
        Some(Token::Number(text)) => format!("`{text}`"),
        Some(Token::Sign(sign)) => format!("`{sign}`"),
        Some(Token::Blank) => "a blank".to_owned(),
    }
}
