package dataset

import (
	"maps"
	"slices"
	"strings"
)

// JSONSchema returns the schema of a document as exports write it in JSON: days
// as 2006-01-02, moments as RFC 3339, bytes in hex, points as GeoJSON
// (https://json-schema.org/draft/2020-12).
func (s *Spec) JSONSchema() map[string]any {
	schema := s.schema(map[Kind]map[string]any{
		KindString:  {"type": "string"},
		KindNumber:  {"type": "number"},
		KindInteger: {"type": "integer"},
		KindBool:    {"type": "boolean"},
		KindDate:    {"type": "string", "format": "date"},
		KindTime:    {"type": "string", "format": "date-time"},
		KindPoint: {
			"type": "object", "required": []string{"type", "coordinates"}, "additionalProperties": false,
			"properties": map[string]any{
				"type":        map[string]any{"const": "Point"},
				"coordinates": map[string]any{"type": "array", "items": map[string]any{"type": "number"}, "minItems": 2, "maxItems": 2},
			},
		},
		KindStrings: {"type": "array", "items": map[string]any{"type": "string"}},
		KindBinary:  {"type": "string", "pattern": "^[0-9a-f]*$"},
		KindObject:  {"type": "object", "additionalProperties": map[string]any{"type": []string{"string", "boolean", "object"}}},
	}, "type", "object")
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = s.Title
	return schema
}

// MongoSchema returns the schema of a stored document, for $jsonSchema.
func (s *Spec) MongoSchema() map[string]any {
	return s.schema(map[Kind]map[string]any{
		KindString:  {"bsonType": "string"},
		KindNumber:  {"bsonType": []string{"int", "long", "double"}},
		KindInteger: {"bsonType": "int"},
		KindBool:    {"bsonType": "bool"},
		KindDate:    {"bsonType": "date"},
		KindTime:    {"bsonType": "date"},
		KindPoint: {
			"bsonType": "object", "required": []string{"type", "coordinates"},
			"properties": map[string]any{
				"type": map[string]any{"enum": []string{"Point"}},
				"coordinates": map[string]any{
					"bsonType": "array", "items": map[string]any{"bsonType": "double"}, "minItems": 2, "maxItems": 2,
				},
			},
		},
		KindStrings: {"bsonType": "array", "items": map[string]any{"bsonType": "string"}},
		KindBinary:  {"bsonType": "binData"},
		KindObject:  {"bsonType": "object"},
	}, "bsonType", "object")
}

// schema makes a schema of the dictionary. word is the keyword for types,
// object the name of the type of objects.
func (s *Spec) schema(of map[Kind]map[string]any, word, object string) map[string]any {
	node := func() map[string]any {
		return map[string]any{word: object, "properties": map[string]any{}, "additionalProperties": false}
	}
	root := node()
	for _, e := range s.Dictionary() {
		at := root
		names := strings.Split(e.Path, ".")
		for _, name := range names[:len(names)-1] {
			if e.Always && !e.Sensitive {
				demand(at, name)
			}
			properties, _ := at["properties"].(map[string]any)
			if properties[name] == nil {
				properties[name] = node()
			}
			at, _ = properties[name].(map[string]any)
		}
		leaf := maps.Clone(of[e.Kind])
		leaf["description"] = e.Meaning
		last := names[len(names)-1]
		properties, _ := at["properties"].(map[string]any)
		properties[last] = leaf
		if e.Always && !e.Sensitive {
			demand(at, last)
		}
	}
	return root
}

// demand adds a name to the required names of an object.
func demand(object map[string]any, name string) {
	names, _ := object["required"].([]string)
	if !slices.Contains(names, name) {
		object["required"] = append(names, name)
	}
}
