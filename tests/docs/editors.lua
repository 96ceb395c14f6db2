-- Neovim's own client: claim, got, wanted on a line each.
local function say(claim, got, want)
	io.stdout:write(claim, "\t", tostring(got), "\t", tostring(want), "\n")
end
local function wait(what)
	vim.wait(120000, what, 20)
end
local function code()
	local told = vim.diagnostic.get(0)
	return told[1] and told[1].code
end
local function ask(method, params)
	local answers = vim.lsp.buf_request_sync(0, method, params, 120000)
	for _, answer in pairs(answers or {}) do
		return answer.result
	end
end

say("the file's kind", vim.bo.filetype, "teg")
say("what colours `posture`", vim.fn.synIDattr(vim.fn.synID(4, 1, 1), "name"), "tegWord")
say("what colours a label", vim.fn.synIDattr(vim.fn.synID(6, 5, 1), "name"), "tegLabel")
say("what colours a comment", vim.fn.synIDattr(vim.fn.synID(1, 3, 1), "name"), "tegComment")
local id = vim.lsp.start_client({ cmd = { os.getenv("TEGC"), "lsp" }, root_dir = vim.fn.getcwd() })
vim.lsp.buf_attach_client(0, id)
wait(code)
say("a diagnostic comes", code() ~= nil, true)
local told = vim.diagnostic.get(0)[1] or {}
say("with its place", (told.lnum or -1) .. ":" .. (told.col or -1), "6:24")
vim.api.nvim_buf_set_text(0, 6, 24, 6, 29, { "office" })
wait(function() return not code() end)
say("an edit makes it go", code(), nil)
vim.api.nvim_win_set_cursor(0, { 7, 25 })
local place = vim.lsp.util.make_position_params(0, "utf-16")
local definition = ask("textDocument/definition", place)
say("definition", definition and definition.range.start.line, 2)
local hover = ask("textDocument/hover", place)
say("hover", hover and hover.contents.value:match("203[%d./]+") or nil, "203.0.113.0/24")
place.newName = "people"
local edit = ask("textDocument/rename", place)
if edit then
	vim.lsp.util.apply_workspace_edit(edit, "utf-16")
end
local _, renamed = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), "\n"):gsub("people", "people")
say("rename", renamed, 3)
place.newName = "office"
edit = ask("textDocument/rename", place)
if edit then
	vim.lsp.util.apply_workspace_edit(edit, "utf-16")
end
vim.api.nvim_buf_set_text(0, 6, 24, 6, 30, { "ofice" })
wait(code)
if vim.lsp.buf.format then
	vim.lsp.buf.format({ timeout_ms = 120000 })
else -- before 0.8
	vim.lsp.buf.formatting_sync(nil, 120000)
end
vim.cmd("silent write")
say("indent inside a posture", vim.fn.eval("TegIndent(6)"), 4)
say("indent of its end", vim.fn.eval("TegIndent(8)"), 0)
vim.lsp.stop_client(id)
io.stdout:write("all asked\n")
