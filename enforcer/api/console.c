/*
 * console - a page for people, carried inside tegd: the same requests as anybody's, made by a browser.
 *
 * The files hold no data and no secret, so that anyone may have them. The page may load nothing
 * from elsewhere, run nothing that stands in it, and be framed by nobody.
 */
#include "enforcer/api/http/request.h"

extern const char console_html[], console_html_end[], console_css[], console_css_end[], console_js[], console_js_end[];

static void reply(struct request *r, const char *type, const char *from, const char *end)
{
	struct buf body = { 0 };

	buf_add(&body, from, (size_t)(end - from));
	request_reply_text(r, type, &body);
	request_add_header(r, "Content-Security-Policy",
			   "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
			   "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'");
	request_add_header(r, "Referrer-Policy", "no-referrer");
	request_add_header(r, "Cross-Origin-Opener-Policy", "same-origin");
	request_add_header(r, "Cross-Origin-Resource-Policy", "same-origin");
}

void route_console(struct request *r)
{
	reply(r, "text/html; charset=utf-8", console_html, console_html_end);
}

void route_console_css(struct request *r)
{
	reply(r, "text/css; charset=utf-8", console_css, console_css_end);
}

void route_console_js(struct request *r)
{
	reply(r, "text/javascript; charset=utf-8", console_js, console_js_end);
}
