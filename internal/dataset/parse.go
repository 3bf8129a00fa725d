package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Parse reads and checks a spec. name is what errors call the file. Each error
// is one line: "NAME:LINE:COLUMN: what is wrong".
func Parse(data []byte, name string) (*Spec, error) {
	src := source{name: name}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, src.wrap(err)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, fmt.Errorf("%s:1:1: expected one YAML document with a dataset spec", name)
	}
	src.root = file.Docs[0].Body
	if err := src.checkKeys(src.root, reflect.TypeFor[Spec](), ""); err != nil {
		return nil, err
	}
	spec := &Spec{MaxQuarantined: DefaultMaxQuarantined, MaxStale: DefaultMaxStale}
	if err := yaml.NodeToValue(src.root, spec, yaml.Strict()); err != nil {
		return nil, src.wrap(err)
	}
	spec.Schedule.Freshness = cmp.Or(spec.Schedule.Freshness, DefaultFreshness)
	spec.Schedule.Standstill = cmp.Or(spec.Schedule.Standstill, DefaultStandstill)
	if err := spec.validate(src.at); err != nil {
		return nil, err
	}
	if err := spec.finish(); err != nil {
		return nil, err
	}
	return spec, nil
}

// source is a parsed YAML file, for errors that name a place in it.
type source struct {
	name string
	root ast.Node
}

// wrap puts an error of the YAML package on one line.
func (s source) wrap(err error) error {
	if e, ok := errors.AsType[yaml.Error](err); ok && e.GetToken() != nil {
		p := e.GetToken().Position
		return fmt.Errorf("%s:%d:%d: %s", s.name, p.Line, p.Column, strings.Join(strings.Fields(e.GetMessage()), " "))
	}
	return fmt.Errorf("%s: %s", s.name, strings.Join(strings.Fields(err.Error()), " "))
}

// at returns an error at the node of a path like fields[3].type, or at its
// nearest parent where that is missing.
func (s source) at(path, format string, args ...any) error {
	node := s.root
	for step := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		next := child(node, step)
		if next == nil {
			break
		}
		node = next
	}
	p := node.GetToken().Position
	if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 {
		p = m.Values[0].Key.GetToken().Position // a mapping's own token is its first colon
	}
	return fmt.Errorf("%s:%d:%d: %s: %s", s.name, p.Line, p.Column, cmp.Or(path, "spec"), fmt.Sprintf(format, args...))
}

func child(node ast.Node, step string) ast.Node {
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			if v.Key.GetToken().Value == step {
				return v.Value
			}
		}
	case *ast.SequenceNode:
		var i int
		if _, err := fmt.Sscanf(step, "%d", &i); err == nil && i < len(n.Values) {
			return n.Values[i]
		}
	}
	return nil
}

// checkKeys refuses keys that are no fields of t, the type the node is decoded
// into, and durations that cannot be read: the errors of the YAML package name
// no place for these.
func (s source) checkKeys(node ast.Node, t reflect.Type, path string) error {
	if anchor, ok := node.(*ast.AnchorNode); ok {
		node = anchor.Value
	}
	if t == reflect.TypeFor[time.Duration]() {
		text := node.GetToken().Value
		if _, err := time.ParseDuration(text); err != nil {
			return s.errorAt(node, "%s: %q is no duration (10m, 12h)", path, text)
		}
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		mapping, ok := node.(*ast.MappingNode)
		if !ok {
			return s.errorAt(node, "%s: expected a mapping", cmp.Or(path, "spec"))
		}
		known := make(map[string]reflect.Type)
		names := []string{}
		for f := range t.Fields() {
			if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name != "" {
				known[name] = f.Type
				names = append(names, name)
			}
		}
		for _, v := range mapping.Values {
			key := v.Key.GetToken().Value
			renamed := map[string]string{"brake": "max_removals", "silent": "untracked"}
			if now, ok := renamed[key]; ok && path == "" {
				return s.errorAt(v.Key, "unknown key %q in spec: it is called %s now", key, now)
			}
			if known[key] == nil {
				slices.Sort(names)
				return s.errorAt(v.Key, "unknown key %q in %s; known keys: %s", key, cmp.Or(path, "spec"), strings.Join(names, ", "))
			}
			if err := s.checkKeys(v.Value, known[key], strings.TrimPrefix(path+"."+key, ".")); err != nil {
				return err
			}
		}
	case reflect.Slice:
		sequence, ok := node.(*ast.SequenceNode)
		if !ok {
			return s.errorAt(node, "%s: expected a list", path)
		}
		for i, v := range sequence.Values {
			if err := s.checkKeys(v, t.Elem(), fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	default: // the YAML package checks scalars, and the keys of a map are free
	}
	return nil
}

func (s source) errorAt(node ast.Node, format string, args ...any) error {
	p := node.GetToken().Position
	return fmt.Errorf("%s:%d:%d: %s", s.name, p.Line, p.Column, fmt.Sprintf(format, args...))
}
