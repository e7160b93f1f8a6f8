//! Fills a tree in. How deep this goes is bounded by the tree; how long, by [`STEPS`] and [`LENGTH`].

use super::fault::Fault;
use super::functions::{self, Call, Functions, LENGTH};
use super::parse::{Command, Node, Operand, Pipeline, What};
use super::value::Value;

/// Actions, texts and turns of loops.
const STEPS: usize = 1_000_000;

enum Flow {
    On,
    Break,
    Continue,
}

struct Filling {
    text: String,
    steps: usize,
    variables: Vec<(String, Value)>,
    functions: Functions,
}

/// The text of a tree.
pub(super) fn fill(nodes: &[Node], data: &Value, functions: Functions) -> Result<String, Fault> {
    // `$` is what the whole template is filled in with.
    let variables = vec![(String::new(), data.clone())];
    let mut filling = Filling { text: String::new(), steps: 0, variables, functions };
    filling.nodes(nodes, data)?;
    Ok(filling.text)
}

impl Filling {
    fn step(&mut self) -> Result<(), Fault> {
        self.steps += 1;
        if self.steps > STEPS || self.text.len() > LENGTH {
            return Err(Fault::new(0, "the template goes on for too long"));
        }
        Ok(())
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow, Fault> {
        for node in nodes {
            self.step()?;
            let flow = match node {
                Node::Text(text) => {
                    self.text.push_str(text);
                    Flow::On
                }
                Node::Action(pipeline) => {
                    let value = self.pipeline(pipeline, dot)?;
                    match value {
                        _ if !pipeline.variables.is_empty() => {}
                        Value::Nil => self.text.push_str("<no value>"),
                        value => self.text.push_str(&value.to_string()),
                    }
                    Flow::On
                }
                Node::If { on, then, otherwise } => self.scoped(|filling| {
                    let nodes = if filling.pipeline(on, dot)?.is_true() { then } else { otherwise };
                    filling.nodes(nodes, dot)
                })?,
                Node::With { on, then, otherwise } => self.scoped(|filling| {
                    let value = filling.pipeline(on, dot)?;
                    if value.is_true() { filling.nodes(then, &value) } else { filling.nodes(otherwise, dot) }
                })?,
                Node::Range { on, then, otherwise } => {
                    self.scoped(|filling| filling.range(on, then, otherwise, dot))?
                }
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if !matches!(flow, Flow::On) {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    /// Variables that are declared within are gone after it.
    fn scoped(&mut self, run: impl FnOnce(&mut Self) -> Result<Flow, Fault>) -> Result<Flow, Fault> {
        let known = self.variables.len();
        let flow = run(self);
        self.variables.truncate(known);
        flow
    }

    fn range(&mut self, on: &Pipeline, then: &[Node], otherwise: &[Node], dot: &Value) -> Result<Flow, Fault> {
        let values: Box<dyn Iterator<Item = Value>> = match self.value(on, dot)? {
            Value::List(list) => Box::new(list.into_iter()),
            Value::Int(count) => Box::new((0..count).map(Value::Int)),
            Value::Nil => Box::new(std::iter::empty()),
            value => {
                let message = format!("`range` goes over a list or a number, and this is a {}", value.kind());
                return Err(Fault::new(on.at, message));
            }
        };
        let known = self.variables.len();
        let mut index = 0;
        for value in values {
            self.step()?;
            let named: Vec<(String, Value)> = match on.variables.as_slice() {
                [one] => vec![(one.clone(), value.clone())],
                [key, one] => vec![(key.clone(), Value::Int(index)), (one.clone(), value.clone())],
                _ => Vec::new(),
            };
            for (name, value) in named {
                if on.assigns { self.assign(&name, value) } else { self.variables.push((name, value)) }
            }
            let flow = self.nodes(then, &value)?;
            self.variables.truncate(known);
            index += 1;
            if matches!(flow, Flow::Break) {
                break;
            }
        }
        if index > 0 { Ok(Flow::On) } else { self.nodes(otherwise, dot) }
    }

    fn assign(&mut self, name: &str, value: Value) {
        if let Some((_, place)) = self.variables.iter_mut().rev().find(|(known, _)| known == name) {
            *place = value;
        }
    }

    /// The value of a pipeline, which its variables take.
    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, Fault> {
        let value = self.value(pipeline, dot)?;
        match pipeline.variables.as_slice() {
            [] => {}
            [name] if pipeline.assigns => self.assign(name, value.clone()),
            [name] => self.variables.push((name.clone(), value.clone())),
            _ => return Err(Fault::new(pipeline.at, "two variables are for `range` alone")),
        }
        Ok(value)
    }

    fn value(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, Fault> {
        let mut last = None;
        for command in &pipeline.commands {
            last = Some(self.command(command, last, dot)?);
        }
        Ok(last.unwrap_or(Value::Nil))
    }

    fn command(&mut self, command: &Command, last: Option<Value>, dot: &Value) -> Result<Value, Fault> {
        let Command { first, rest } = command;
        if let What::Function(name) = &first.what {
            let value = self.function(name, first.at, rest, last, dot)?;
            return fields(value, &first.fields, &[]);
        }
        if matches!(first.what, What::Nil) {
            return Err(Fault::new(first.at, "`nil` is no value to show"));
        }
        let mut arguments = Vec::new();
        for operand in rest {
            arguments.push(self.operand(operand, dot)?);
        }
        arguments.extend(last);
        if !arguments.is_empty() && first.fields.is_empty() {
            return Err(Fault::new(first.at, "this is no function, and takes no arguments"));
        }
        let value = self.of(first, dot)?;
        fields(value, &first.fields, &arguments)
    }

    fn function(
        &mut self,
        name: &str,
        at: usize,
        rest: &[Operand],
        last: Option<Value>,
        dot: &Value,
    ) -> Result<Value, Fault> {
        let mut arguments = Vec::new();
        for operand in rest {
            let value = self.operand(operand, dot)?;
            // What decides is the last that is looked at.
            let decides = match name {
                "and" => !value.is_true(),
                "or" => value.is_true(),
                _ => false,
            };
            arguments.push(value);
            if decides {
                return Ok(arguments.pop().unwrap_or(Value::Nil));
            }
        }
        arguments.extend(last);
        let call = Call { name, arguments, functions: self.functions };
        functions::call(call).map_err(|message| Fault::new(at, format!("{name}: {message}")))
    }

    /// An argument.
    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, Fault> {
        let value = match &operand.what {
            What::Function(name) => self.function(name, operand.at, &[], None, dot)?,
            _ => self.of(operand, dot)?,
        };
        fields(value, &operand.fields, &[])
    }

    fn of(&mut self, operand: &Operand, dot: &Value) -> Result<Value, Fault> {
        Ok(match &operand.what {
            What::Dot => dot.clone(),
            What::Bool(value) => Value::Bool(*value),
            What::Int(number) => Value::Int(*number),
            What::Float(number) => Value::Float(*number),
            What::Text(text) => Value::Text(text.clone()),
            What::Variable(name) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                found.map_or(Value::Nil, |(_, value)| value.clone())
            }
            What::Pipe(pipeline) => self.pipeline(pipeline, dot)?,
            What::Nil | What::Function(_) => Value::Nil,
        })
    }
}

/// Fields of a value, one in the other; the last may be a method, which takes the arguments.
fn fields(mut value: Value, fields: &[(usize, String)], arguments: &[Value]) -> Result<Value, Fault> {
    for (index, (at, name)) in fields.iter().enumerate() {
        let arguments = if index + 1 == fields.len() { arguments } else { &[] };
        value = field(value, name, arguments).map_err(|message| Fault::new(*at, message))?;
    }
    Ok(value)
}

fn field(value: Value, name: &str, arguments: &[Value]) -> Result<Value, String> {
    let Value::Record(mut record) = value else {
        if matches!(value, Value::Nil) {
            return Ok(Value::Nil);
        }
        return Err(format!("there is no field .{name} in a {}", value.kind()));
    };
    if let Some(method) = record.method(name) {
        return match arguments {
            [Value::Text(text)] => Ok(Value::Text(method(text))),
            [other] => Err(format!(".{name} takes a text, and got a {}", other.kind())),
            _ => Err(format!(".{name} takes one text, such as .{name} \"x\", and got {} arguments", arguments.len())),
        };
    }
    let Some(found) = record.fields.iter().position(|(field, _)| *field == name) else {
        if record.open {
            return Ok(Value::Nil);
        }
        let methods = record.methods.iter().map(|(method, _)| method);
        let known: Vec<&str> = record.fields.iter().map(|(field, _)| field).chain(methods).copied().collect();
        return Err(match crate::model::closest(name, known.iter().copied()) {
            Some(near) => format!("there is no field .{name}; did you mean .{near}?"),
            None => format!("there is no field .{name}; there are {}", known.join(", ")),
        });
    };
    if !arguments.is_empty() {
        return Err(format!(".{name} takes no arguments"));
    }
    Ok(record.fields.swap_remove(found).1)
}
