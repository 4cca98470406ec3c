package main_test

// contradiction is a place where the vendor's document disagrees with itself or
// with its service, and what the bridge makes of it.
type contradiction struct {
	// Where is the section, says what the document says there.
	where, says string
	// Taken is what the bridge does.
	taken string
	tests []string
}

// contradictions are those that were found, in the document's order.
func contradictions() []contradiction {
	const (
		example   = "mmd.TestEveryExampleOfTheDocumentIsReadOrProduced/"
		defaults  = "config.TestEveryKeyHasTheDefaultOfTheContract"
		names     = "main.TestJSONHasTheNamesAndValuesOfTheAPI"
		answers   = "mmd.TestWhatAnAnswerMeansForAWrite"
		noContent = "mmd.TestANoteIsDoneWith204AndNothingElse"
	)
	return []contradiction{
		{
			"Get access to API", "grant `client_credential`; `/oauth2/token`, elsewhere `/oauth2/v2.0/token`",
			"`client_credentials` at the v2.0 endpoint that the authority's discovery names",
			[]string{example + "01", "main.TestRunOnceEndsWithACodeAndASummary"},
		},
		{"Get access to API", "scopes of `prod`, `-ppe`; `.default`, `.Default`", "configuration; `…customerapi-prod…/.default` unless it says otherwise", []string{defaults}},
		{
			"List devices, List users", "operators `$skip`, `$top`; examples `skip=1&top=2`; `searchText` without a `$`",
			"`$skip`, `$top`, `searchText` are sent; the simulator takes both spellings",
			[]string{example + "04", example + "05", example + "08", example + "09", "simulator.TestDevicesAndUsers"},
		},
		{
			"List users, Get user", "a user's devices have `ring`, `lastIntuneSyncTime`; a device has `primaryUpdateRing`, `lastIntuneSyncDateTimeUtc`",
			"two types, `UserDevice` and `Device`",
			[]string{example + "07", example + "10", names + "/example_07"},
		},
		{"Get user by userUpn", "asks `…/devices/jdoe@…`; the answer is a collection of one", "asks `…/users/{userUpn}`; an entity and a collection of one are both read", []string{example + "10"}},
		{"Create ticket", "`GET …/tickets`, \"do not supply a request body\"", "`POST …/tickets` with the body that is shown; 200 and 201 are both done", []string{example + "11", example + "13", example + "15", answers}},
		{"Create ticket", "answers have `isPartner`, `contact.id`, `preferredLanguageId`", "the server's; never sent", []string{example + "12", example + "14", example + "16"}},
		{
			"Create ticket, List tickets", "`ChangeRequest`, in lists `Change Request`; subcategories with blanks around them",
			"both are read as the first, without the blanks; the first is written",
			[]string{example + "14", names + "/example_17"},
		},
		{"Create ticket", "`Severity Level`, elsewhere a number", "a whole number, 1 to 4; another word is kept and said", []string{example + "15", example + "19", example + "20", "mmd.TestWordsThatTheDocumentDoesNotListAreKeptAndTold"}},
		{"Create ticket, Get ticket", "`issueFirstNoticed` is a String, on the object a DateTimeOffset", "RFC 3339, as it was written", []string{example + "15", "main.TestWhatIsWrittenByHandArrives"}},
		{"Get ticket by ID", "`tickets('{MMD-1465058-R5V8P}')`", "the braces stand for the id; a quote inside one is doubled", []string{example + "20", "mmd.TestAnIdWithAQuoteIsEscaped"}},
		{"all objects", "times with 0 to 7 digits of a second, `0001-01-01T00:00:00Z`, `null`", "all are read; year 1 and null are never", []string{example + "06", example + "25", "mmd.TestListPages"}},
		{"List devices", "`intuneId: null`, `name: \"\"`", "null, empty and missing stay apart", []string{example + "03", names + "/example_03", "mmd.TestNullEmptyAndMissingStayApart", "main.TestWhatTheAPIDoesNotSayIsNotShownAsNull"}},
		{
			"Create ticket, Get ticket notes", "\"viewing and adding contents to discussions is not currently supported\"; the methods are described",
			"they are used; 404 and 405 have an error of their own, `ErrNotes`",
			[]string{example + "21", "mmd.TestNotesThatAreNotOfferedAreToldApart", "main.TestWhatIsNotThereEndsWith1AndOneLine"},
		},
		{"Add notes to ticket", "204 without a body: no id", "204 is done, anything else is looked for", []string{example + "22", example + "23", noContent}},
		{"Create elevation request", "the body in PascalCase, the object in camelCase; 201", "PascalCase is sent, either case is read", []string{example + "24", example + "25"}},
		{"Create elevation request", "403 too many open requests, 404 no such device", "`ErrTooManyOpen`: may be tried again; `ErrNoDevice`: may not", []string{example + "26", example + "27", "connector.TestTooManyOpenElevationsWait"}},
		{"Close elevation request", "204; 400 already closed; 404", "400 already closed is done", []string{example + "28", example + "29", example + "30", "main.TestWhatIsWrittenByHandArrives"}},
		{
			"List elevation requests", "asks `…/tickets?$skip=0&$top=2`, another host, a device name that begins with a blank",
			"`tenants/{tenantId}/elevationRequests`; values as they are given",
			[]string{example + "31", example + "32", example + "33"},
		},
		{
			"Get elevation request details", "the password in clear text", "a type that prints as •••; one command reveals it, if it is asked to",
			[]string{example + "34", "mmd.TestAPasswordPrintsAsDotsWhateverItIsPrintedWith", "main.TestThePasswordShowsOnlyWhenItIsAskedFor", "main.TestOneCommandAsksForThePassword"},
		},
	}
}
