//! The rules that tree tables keep.

use super::{Child, Input, Node, Sum, Test, Thresholds, Trees};
use crate::{
    model::{
        Column, TableError,
        validate::{Shape, broken, finite},
    },
    schema::Kind,
};

impl Trees {
    pub(crate) fn validate(&self, shape: &Shape<'_>) -> Result<(), TableError> {
        for (at, input) in self.inputs.iter().enumerate() {
            input.validate(at, shape)?;
        }
        for (at, test) in self.tests.iter().enumerate() {
            self.test(at, test, shape)?;
        }
        for (at, node) in self.nodes.iter().enumerate() {
            self.node(at, *node)?;
        }
        finite("leaves", &self.leaves)?;
        for (at, root) in self.roots.iter().enumerate() {
            if !self.leads_somewhere(*root) {
                return Err(broken("roots", at, "leads nowhere"));
            }
        }
        self.sum.validate()
    }

    fn test(&self, at: usize, test: &Test, shape: &Shape<'_>) -> Result<(), TableError> {
        match test {
            Test::Rank { input, .. } => {
                if *input as usize >= self.inputs.len() {
                    return Err(broken("tests", at, "names an input that does not exist"));
                }
            }
            Test::Set { column, levels, .. } => {
                let Some(Column::Code { feature }) = shape.columns.get(*column as usize) else {
                    return Err(broken("tests", at, "asks for a level where no column has one"));
                };
                let Some(Kind::Categorical(known)) =
                    shape.features.get(*feature as usize).map(|f| &f.kind)
                else {
                    return Err(broken("tests", at, "asks for a level of a number"));
                };
                if !levels.is_sorted_by(|a, b| a < b) {
                    return Err(broken("tests", at, "has levels that do not ascend"));
                }
                if levels.last().is_some_and(|last| *last as usize >= known.len()) {
                    return Err(broken("tests", at, "names a level that does not exist"));
                }
            }
        }
        Ok(())
    }

    fn node(&self, at: usize, node: Node) -> Result<(), TableError> {
        let thresholds = match self.tests.get(node.test as usize) {
            None => return Err(broken("nodes", at, "names a test that does not exist")),
            Some(Test::Set { .. }) => 1,
            Some(Test::Rank { input, .. }) => {
                self.inputs.get(*input as usize).map_or(0, |input| input.thresholds.len())
            }
        };
        if node.threshold as usize >= thresholds {
            return Err(broken("nodes", at, "names a threshold that does not exist"));
        }
        for child in [node.left, node.right] {
            if !self.leads_somewhere(child) {
                return Err(broken("nodes", at, "has a child that does not exist"));
            }
            if matches!(child, Child::Node(index) if index as usize <= at) {
                return Err(broken("nodes", at, "has a child that does not come after it"));
            }
        }
        Ok(())
    }

    fn leads_somewhere(&self, child: Child) -> bool {
        match child {
            Child::Node(index) => (index as usize) < self.nodes.len(),
            Child::Leaf(index) => (index as usize) < self.leaves.len(),
        }
    }
}

impl Input {
    fn validate(&self, at: usize, shape: &Shape<'_>) -> Result<(), TableError> {
        if self.column as usize >= shape.columns.len() {
            return Err(broken("inputs", at, "names a column that does not exist"));
        }
        let (finite, ascending) = match &self.thresholds {
            Thresholds::F32(t) => (t.iter().all(|t| t.is_finite()), t.is_sorted_by(|a, b| a < b)),
            Thresholds::F64(t) => (t.iter().all(|t| t.is_finite()), t.is_sorted_by(|a, b| a < b)),
        };
        if !finite {
            return Err(broken("inputs", at, "has a threshold that is not a finite number"));
        }
        if !ascending {
            return Err(broken("inputs", at, "has thresholds that do not ascend"));
        }
        Ok(())
    }
}

impl Sum {
    fn validate(&self) -> Result<(), TableError> {
        finite("sum", &[self.start, self.divisor, self.scale, self.bias])?;
        if self.divisor == 0.0 {
            return Err(broken("sum", 1, "divides by zero"));
        }
        Ok(())
    }
}
