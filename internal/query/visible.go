package query

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/changes"
	"padron/internal/mongodb"
)

// Hidden reports whether the value at a path of a document must not be shown
// (dataset.Spec.Sensitive); nil: every value may be. It is asked for the texts
// of a list below the list's path: quality.flags.mail_city_folded.
type Hidden func(path string) bool

// visible returns a document without what is hidden, its key excepted. No trace
// of it stays: documents and lists that have nothing else are left out as well.
func (h Hidden) visible(doc bson.Raw) (bson.Raw, error) {
	if h == nil {
		return doc, nil
	}
	return h.appendVisible(make([]byte, 0, len(doc)), "", doc)
}

// noFields is the length of a document without fields, in bytes.
const noFields = 5

// appendVisible appends what of a document below a path may be shown.
func (h Hidden) appendVisible(dst []byte, prefix string, doc bson.Raw) ([]byte, error) {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	err := mongodb.EachElement(doc, func(raw []byte, e mongodb.Element) error {
		path, before := prefix+string(e.Name), len(dst)
		switch e.Value.Type {
		case bson.TypeEmbeddedDocument:
			dst = append(dst, raw[:len(raw)-len(e.Value.Value)]...) // type and name
			inner, err := h.appendVisible(dst, path+".", e.Value.Value)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if dst = inner; len(dst)-before == len(raw)-len(e.Value.Value)+noFields {
				dst = dst[:before]
			}
		case bson.TypeArray:
			if v := changes.VisibleValue(e.Value, path, h); !v.IsZero() {
				dst = append(append(dst, raw[:len(raw)-len(e.Value.Value)]...), v.Value...)
			}
		default:
			if path == "_id" || !h(path) {
				dst = append(dst, raw...)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return mongodb.EndDocument(dst, start), nil
}
