// Package soql answers SoQL, the query language of Socrata's SODA 2.1, over a
// snapshot of the store: it parses a request's parameters, plans the query and
// renders its answer as JSON.
//
// It never changes a row, and knows nothing of HTTP, faults or lagging copies.
// The simulated portal alone imports it.
//
// What it knows of the language: $select, $where, $group, $order, $limit,
// $offset and filters by field name; comparisons, and, or, not, in, between,
// like and is null with three-valued logic; count, min, max, sum and avg;
// upper, lower, starts_with, contains, date_trunc_… and date_extract_….
package soql
