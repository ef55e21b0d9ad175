package flow

// Cookies tell whose a flow is. The top 12 bits mark flows of this controller, the next 4 name the owner, and the lower
// 48 are the owner's to use. A packet-in or flow-removed goes to its owner by one table lookup.
const (
	cookieMagic     = 0xe05 << 52
	cookieMagicMask = 0xfff << 52
	cookieOwnShift  = 48
	cookieTagMask   = 1<<48 - 1
)

// Owner names an app in cookies: 0 to 15.
type Owner uint8

// MaxOwners is how many owners a cookie can tell apart.
const MaxOwners = 16

// Cookie returns the cookie of an owner's flow; tag's lower 48 bits are the owner's to use.
func Cookie(o Owner, tag uint64) uint64 {
	return cookieMagic | uint64(o&0xf)<<cookieOwnShift | tag&cookieTagMask
}

// CookieMask returns the value and mask that select all flows of this controller and no others.
func CookieMask() (value, mask uint64) { return cookieMagic, cookieMagicMask }

// OwnerOf returns the owner in a cookie; ok is false for flows that are not this controller's.
func OwnerOf(cookie uint64) (o Owner, ok bool) {
	return Owner(cookie >> cookieOwnShift & 0xf), cookie&cookieMagicMask == cookieMagic
}

// Tag returns the lower 48 bits of a cookie.
func Tag(cookie uint64) uint64 { return cookie & cookieTagMask }
