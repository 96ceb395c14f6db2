-- The grammar for tree-sitter in Neovim: claim, got, wanted on a line each.
local function say(claim, got, want)
	io.stdout:write(claim, "\t", tostring(got), "\t", tostring(want), "\n")
end

local root = vim.treesitter.get_parser(0, "teg"):parse()[1]:root()
say("tree-sitter takes the policy", root:has_error(), false)
local query = vim.treesitter.query.get_query("teg", "highlights")
local colour = {}
for id, node in query:iter_captures(root, 0) do
	local row, column = node:start()
	colour[row .. ":" .. column] = query.captures[id]
end
say("its colour of `posture`", colour["3:0"], "keyword")
say("its colour of a label", colour["5:4"], "label")
say("its colour of a comment", colour["0:0"], "comment")
for _, kind in ipairs({ "folds", "indents", "locals" }) do
	say("its " .. kind, vim.treesitter.query.get_query("teg", kind) ~= nil, true)
end
io.stdout:write("all asked\n")
