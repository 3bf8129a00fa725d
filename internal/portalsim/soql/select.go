package soql

import (
	"fmt"
	"slices"
	"strings"

	"padron/internal/portalsim/store"
)

// planSelect decides what is rendered.
func (p *Plan) planSelect(q *Query, hideComputed bool) error {
	items := q.items
	if items == nil {
		items = []selectItem{{star: true}}
		if q.system {
			items = []selectItem{{systemStar: true}, {star: true}}
		}
	}
	p.grouped = len(q.group) > 0 || slices.ContainsFunc(items, func(item selectItem) bool { return isAggregate(item.expr) })
	if err := p.planGroups(q.group); err != nil {
		return err
	}
	stars, systemStars := 0, 0
	for i, item := range items {
		switch {
		case (item.star || item.systemStar) && p.grouped:
			return errorf(CodeNotGrouped, "Column not in group bys: %s", p.s.Columns()[0].Name)
		case item.star:
			stars++
			for _, c := range p.s.Columns() {
				if !hideComputed || !strings.HasPrefix(c.Name, ":@") {
					p.addOutput(output{name: c.Name, kind: c.Kind, eval: columnEvaluator(c)})
				}
			}
		case item.systemStar:
			systemStars++
			for i, c := range store.SystemColumns() {
				p.addOutput(output{name: c.Name, kind: c.Kind, eval: systemEvaluator(i)})
			}
		default:
			if err := p.planItem(item, i); err != nil {
				return err
			}
		}
	}
	if stars > 1 || systemStars > 1 {
		return errorf(CodeDuplicateAlias, "Duplicate alias: *")
	}
	// Whole rows are rendered in one pass, behind the system columns if those
	// come first.
	p.system = systemStars == 1
	p.star = stars == 1 && stars+systemStars == len(items) && (!p.system || items[0].systemStar)
	if p.star {
		p.prefixes = make([]string, p.s.Slots())
		for _, o := range p.outputs {
			if c, ok := p.s.Column(o.name); ok && c.Constant == nil {
				p.prefixes[c.Slot] = o.prefix
			}
		}
	}
	return nil
}

// planItem adds an expression at a place of $select to the outputs.
func (p *Plan) planItem(item selectItem, place int) error {
	name := item.alias
	if name == "" {
		name = implicitAlias(item.expr, place)
	}
	if slices.ContainsFunc(p.outputs, func(o output) bool { return o.name == name }) {
		return errorf(CodeDuplicateAlias, "Duplicate alias: %s", name)
	}
	if !p.grouped {
		c, err := p.compile(item.expr)
		if err != nil {
			return err
		}
		p.addOutput(output{name: name, kind: c.kind, eval: c.eval})
		return nil
	}
	k, index, err := p.groupedIndex(item.expr)
	if err != nil {
		return err
	}
	p.addOutput(output{name: name, kind: k, index: index})
	return nil
}

func (p *Plan) addOutput(o output) {
	o.prefix = "," + string(store.AppendQuoted(nil, o.name)) + ":"
	p.outputs = append(p.outputs, o)
}

// resolve replaces an alias by its expression. A column of the same name has
// precedence.
func (p *Plan) resolve(n node) node {
	column, ok := n.(columnNode)
	if !ok {
		return n
	}
	if _, ok := p.s.Column(column.name); ok {
		return n
	}
	if aliased, ok := p.aliases[column.name]; ok {
		return aliased
	}
	return n
}

// implicitAlias names an expression as the portal does: count(*) is count,
// min(x) is min_x.
func implicitAlias(n node, place int) string {
	switch n := n.(type) {
	case columnNode:
		return n.name
	case callNode:
		parts := []string{n.name}
		for i, a := range n.args {
			parts = append(parts, implicitAlias(a, i))
		}
		return strings.Join(parts, "_")
	case literalNode:
		return n.text
	default:
		return fmt.Sprintf("expr_%d", place+1)
	}
}
