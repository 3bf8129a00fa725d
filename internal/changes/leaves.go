package changes

import "go.mongodb.org/mongo-driver/v2/bson"

// Leaves are the leaves of a document by path, which change events are about.
type Leaves map[string]bson.RawValue

// LeavesOf takes a document apart. The values share memory with it.
func LeavesOf(doc bson.Raw) (Leaves, error) {
	fields, err := Diff(nil, doc)
	if err != nil {
		return nil, err
	}
	leaves := make(Leaves, len(fields))
	for _, f := range fields {
		leaves[f.Path] = f.To
	}
	return leaves, nil
}

// Apply makes an event's change. A leaf whose values were not kept is absent
// afterwards, as its new value is not known.
func (l Leaves) Apply(e Event) {
	// Removals first: from {a: {}} to {a: {b: 1}}, a is removed and a.b added.
	for _, f := range e.Fields {
		if f.To.IsZero() {
			delete(l, f.Path)
		}
	}
	for _, f := range e.Fields {
		if !f.To.IsZero() {
			l[f.Path] = f.To
		}
	}
}

// Equal reports whether two documents have the same leaves.
func (l Leaves) Equal(other Leaves) bool {
	if len(l) != len(other) {
		return false
	}
	for path, v := range l {
		if o, ok := other[path]; !ok || !v.Equal(o) {
			return false
		}
	}
	return true
}
