package simulator

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
)

// recorder keeps an answer. cut is where the connection ends within it; 0: it does not.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	cut    int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

func (r *recorder) response(to *http.Request) *http.Response {
	var body io.Reader = bytes.NewReader(r.body.Bytes())
	if r.cut > 0 {
		body = io.MultiReader(bytes.NewReader(r.body.Bytes()[:r.cut]), broken{})
	}
	return &http.Response{
		Status: strconv.Itoa(r.status) + " " + http.StatusText(r.status), StatusCode: r.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.header, Body: io.NopCloser(body), ContentLength: int64(r.body.Len()), Request: to, TLS: to.TLS,
	}
}

// broken is where a connection ended.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// cancelled is what a desk says when its quota is used up.
const cancelled = `"error":{"detail":"Transaction cancelled: maximum execution time exceeded. Check logs for error trace.","message":"Transaction cancelled: maximum execution time exceeded"},"status":"failure"}`

// spoil is the answer of a fault: out is what the server would have said, if it did
// what was asked.
func spoil(x exchange, side string, out *recorder) *recorder {
	page := func(status int, kind, body string) *recorder {
		fresh := &recorder{header: http.Header{"Content-Type": {kind}}, status: status}
		fresh.body.WriteString(body)
		if x.RetryAfter > 0 {
			fresh.header.Set("Retry-After", strconv.Itoa(x.RetryAfter))
		}
		return fresh
	}
	switch x.Kind { //nolint:exhaustive // the others spoil what was said
	case Error500, Error500After:
		return page(http.StatusInternalServerError, "application/json", problem(side, 500, "Transaction cancelled: maximum execution time exceeded"))
	case Error503, Error503After:
		return page(http.StatusServiceUnavailable, "text/html", "<html><body>Service Unavailable</body></html>")
	case TooMany:
		return page(http.StatusTooManyRequests, "application/json", problem(side, 429, "Rate limit exceeded"))
	case HTML, HTMLAfter:
		return page(http.StatusOK, "text/html;charset=UTF-8", "<html><head><title>Instance Hibernating page</title></head><body>Your instance is hibernating.</body></html>")
	case Redirect:
		fresh := page(http.StatusFound, "text/html", "")
		fresh.header.Set("Location", "https://elsewhere.example/login.do")
		return fresh
	case Accepted:
		return page(http.StatusAccepted, "application/json", "")
	case EmptyList:
		return page(http.StatusOK, "application/json", `{"value":[],"result":[]}`)
	case Answer:
		return page(max(x.Status, 100), "application/json", x.Body)
	}
	return damage(x.Kind, out)
}

// damage spoils an answer that the server gave.
func damage(kind Kind, out *recorder) *recorder {
	whole := bytes.Clone(out.body.Bytes())
	half := whole[:len(whole)/2]
	if kind == Malformed || kind == Partial { // a 204 has no type
		out.header.Set("Content-Type", "application/json")
	}
	switch kind { //nolint:exhaustive // spoil has met the others
	case WrongType:
		out.header.Set("Content-Type", "text/plain")
	case Truncated:
		out.cut = max(len(half), 1)
		if len(whole) == 0 { // a 204 has nothing to cut: the connection ends within its head
			out.body.WriteByte('\n')
			out.status = http.StatusOK
		}
	case Malformed:
		out.body.Reset()
		out.body.Write(half)
		out.body.WriteString(`}""],` + cancelled)
		out.status = http.StatusOK
	case Partial:
		out.body.Reset()
		if at := bytes.LastIndex(half, []byte("},{")); at > 0 {
			out.body.Write(half[:at+1])
			out.body.WriteString("]," + cancelled)
		} else {
			out.body.WriteString(`{"result":[],` + cancelled)
		}
		out.status = http.StatusOK
	}
	return out
}

// problem is an error in the envelope of a side.
func problem(side string, status int, message string) string {
	if side == SideITSM {
		return `{"error":{"message":"` + message + `","detail":"` + message + ` Check logs for error trace or enable glide.rest.debug property to verify REST request processing"},"status":"failure"}`
	}
	return `{"error":{"code":"` + strconv.Itoa(status) + `","message":"` + message + `"}}`
}
