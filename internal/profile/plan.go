package profile

import (
	"slices"
	"strings"

	"padron/internal/dataset"
)

// Planned is a field of the document that is to be described.
type Planned struct {
	Path      string
	Type      string // as the spec says
	Sensitive bool   // none of its values is kept
	Date      bool   // histogram by year
	Number    bool   // histogram by value
	Opaque    bool   // only whether it is there: a point
	Key       bool   // no two rows have the same value, and every row has one
}

// Plan says what of a dataset's documents is described, and how. It is read-only
// and safe for concurrent use.
type Plan struct {
	Spec   string // digest of the spec
	Fields []Planned
	State  string // path of the field with the state; empty: none

	tree []node
}

// node is a name on the first level of the document: a field, or the fields of a
// sub-document.
type node struct {
	name  string
	field int    // index in Plan.Fields; -1: a sub-document, or nothing to describe
	below []node // of a sub-document
}

// Of plans the description of a dataset's documents: of all fields that are
// stored and are no copies of others.
func Of(spec *dataset.Spec) *Plan {
	p := &Plan{Spec: spec.Digest()}
	for _, f := range spec.Fields {
		if f.Drop || f.Copy != "" {
			continue
		}
		p.Fields = append(p.Fields, Planned{
			Path: f.Path, Type: string(f.Type), Sensitive: spec.Sensitive(f.Path),
			Date: f.Type == dataset.Date, Number: f.Type == dataset.Number, Opaque: f.Type == dataset.Point,
			// A key that no rule alters and that is the field's only source.
			Key: f.Type == dataset.Text && len(f.Rules) == 0 && slices.Equal(f.From, []string{spec.Key}),
		})
		if p.State == "" && slices.Contains(f.Rules, dataset.RuleState) && !spec.Sensitive(f.Path) {
			p.State = f.Path
		}
	}
	for i, f := range p.Fields {
		group, leaf, nested := strings.Cut(f.Path, ".")
		if !nested {
			p.tree = append(p.tree, node{name: f.Path, field: i})
			continue
		}
		at := slices.IndexFunc(p.tree, func(n node) bool { return n.name == group })
		if at < 0 {
			at = len(p.tree)
			p.tree = append(p.tree, node{name: group, field: -1})
		}
		p.tree[at].below = append(p.tree[at].below, node{name: leaf, field: i})
	}
	return p
}

// find returns the node of a name, looking from next on: documents have their
// fields in the order of the spec, so that the first or second look finds it.
func find(nodes []node, name []byte, next int) int {
	for i := range nodes {
		at := next + i
		if at >= len(nodes) {
			at -= len(nodes)
		}
		if nodes[at].name == string(name) {
			return at
		}
	}
	return -1
}
