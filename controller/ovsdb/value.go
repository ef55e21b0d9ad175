package ovsdb

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
)

var errValue = errors.New("not a value of RFC 7047 section 5.1")

// maxText is the maximum length of a string, in bytes.
const maxText = 512

// texts decodes a column of at most limit strings: one string, or ["set", [...]].
func texts(raw json.RawMessage, limit int) ([]string, error) {
	return set(raw, limit, func(raw json.RawMessage) (string, error) {
		var s string
		if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
			return "", fmt.Errorf("%w: %.40q is not a string", errValue, raw)
		}
		if len(s) > maxText {
			return "", fmt.Errorf("a text of %d bytes is longer than %d", len(s), maxText)
		}
		return s, nil
	})
}

// optional decodes a column of at most one string; "" is none.
func optional(raw json.RawMessage) (string, error) {
	list, err := texts(raw, 1)
	if err != nil || len(list) == 0 {
		return "", err
	}
	return list[0], nil
}

// references decodes a column of row references: one ["uuid", U], or a set of them.
func references(raw json.RawMessage, limit int) ([]string, error) {
	return set(raw, limit, func(raw json.RawMessage) (string, error) {
		var pair []string
		if json.Unmarshal(raw, &pair) != nil || len(pair) != 2 || pair[0] != "uuid" || !isUUID(pair[1]) {
			return "", fmt.Errorf("%w: %.60q is not a reference to a row", errValue, raw)
		}
		return pair[1], nil
	})
}

// set decodes a single value, or ["set", [values]]. An absent column is the empty set.
func set(raw json.RawMessage, limit int, one func(json.RawMessage) (string, error)) ([]string, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var pair []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &pair) != nil || len(pair) != 2 || string(pair[0]) != `"set"` {
		v, err := one(raw)
		return []string{v}, err
	}
	var items []json.RawMessage
	if len(pair[1]) == 0 || pair[1][0] != '[' || json.Unmarshal(pair[1], &items) != nil {
		return nil, fmt.Errorf("%w: %.40q is not a set", errValue, raw)
	}
	if len(items) > limit {
		return nil, fmt.Errorf("a set of %d values where at most %d are expected", len(items), limit)
	}
	list := make([]string, len(items))
	for i, item := range items {
		var err error
		if list[i], err = one(item); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// isUUID reports whether s is a UUID in the text form with hyphens.
var isUUID = regexp.MustCompile(`^[[:xdigit:]]{8}(-[[:xdigit:]]{4}){3}-[[:xdigit:]]{12}$`).MatchString
