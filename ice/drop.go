package ice

// Why a packet, or what it asked for, was dropped: reasons given to the trace,
// beside those of package stun for what is no acceptable STUN message.
const (
	dropEnded          = "agent is closed or has failed"
	dropNotBinding     = "not a Binding message"
	dropLocalAddress   = "arrived at an address that is no local candidate"
	dropNoCredentials  = "check without USERNAME or MESSAGE-INTEGRITY"
	dropUsername       = "check for a username fragment that is not ours"
	dropIntegrity      = "check with a wrong password"
	dropUnknown        = "check with an unknown comprehension-required attribute"
	dropNoPriority     = "check without PRIORITY"
	dropRoleConflict   = "check of a peer in the same role, which has to change it"
	dropTooManyAnswers = "more checks at once than responses are kept for"
	dropOwnAddress     = "check from our own address"
	dropFull           = "check from an address more than the check list takes"
	dropStranger       = "check with a username fragment that is not the peer's"
	dropTransaction    = "response to no check of ours"
	dropResponse       = "response with a wrong password"
	dropUnprotected    = "refusal without integrity"
	dropAsymmetric     = "response that took another path than its check"
	dropNoAddress      = "response without XOR-MAPPED-ADDRESS"
	dropIndication     = "indication" // a keepalive: it is not authenticated, so it means nothing
)
