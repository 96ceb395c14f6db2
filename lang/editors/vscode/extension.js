// Starts `tegc lsp` for .teg files, and ends it with the window.
const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

exports.activate = () => {
	const settings = workspace.getConfiguration("teg");

	client = new LanguageClient("teg", "Tegumentar",
		{ command: settings.get("command"), args: ["lsp", ...settings.get("arguments")] },
		{
			documentSelector: [{ language: "teg" }],
			synchronize: { fileEvents: workspace.createFileSystemWatcher("**/*.teg") },
		});
	return client.start();
};

exports.deactivate = () => client && client.stop();
