"""Small made files in the layouts of licensed releases: invented names and numbers only."""

RXNORM = [
    "901|ENG|P|L1|PF|S1|Y|A1||901||RXNORM|IN|901|zorbazole||N|4096|",
    "901|ENG|S|L2|PF|S2|Y|A2||901||RXNORM|SY|901|zorbazol||N||",
    "901|ENG|S|L3|PF|S3|Y|A3||||MSH|MH|D900001|Zorbazole||N||",
    "901|SPA|S|L4|PF|S4|Y|A4||||MSHSPA|MH|D900001|zorbazolo||N||",
    "902|ENG|P|L5|PF|S5|Y|A5||902||RXNORM|BN|902|Quillex||N||",
    "903|ENG|P|L6|PF|S6|Y|A6||903||RXNORM|IN|903|retiredol||O||",
]
MRCONSO = [
    "C9000001|ENG|S|L1|PF|S1|N|A1||||MSH|ET|D900010|Blue Fever|0|N||",
    "C9000001|ENG|P|L2|PF|S2|Y|A2||||SNOMEDCT_US|PT|900100|Azure fever|9|N||",
    "C9000002|ENG|P|L3|PF|S3|Y|A3||||RXNORM|IN|901|zorbazole|0|N||",
    "C9000003|FRE|P|L4|PF|S4|Y|A4||||MSHFRE|MH|D900011|fievre|3|N||",
]
MRSTY = [
    "C9000001|T047|B2.2.1.2.1|Disease or Syndrome|AT1||",
    "C9000002|T121|A1.4.1.1.1|Pharmacologic Substance|AT2||",
    "C9000002|T109|A1.4.1.2.1|Organic Chemical|AT3||",
]
CONCEPTS = [
    "id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId",
    "900100\t20240101\t1\t900000000000207008\t900000000000074008",
    "900200\t20240101\t0\t900000000000207008\t900000000000074008",
]
DESCRIPTIONS = [
    "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId",
    "1\t20240101\t1\t9\t900100\ten\t900000000000013009\tBlue fever\t9",
    "2\t20240101\t1\t9\t900100\ten\t900000000000003001\tAzure fever (disorder)\t9",
    "3\t20240101\t0\t9\t900100\ten\t900000000000013009\tOld fever\t9",
    "4\t20240101\t1\t9\t900200\ten\t900000000000003001\tGone (finding)\t9",
]
PT = ["90000001$Azure fever$$90000100$$$$$$$$", "90000002$Quill rash$$90000100$$$$$$$$"]
LLT = [
    "90000001$Azure fever$90000001$$$$$$$Y$$",
    "90000011$Blue fever$90000001$$$$$$$Y$$",
    "90000012$Bygone fever$90000001$$$$$$$N$$",
]
LOINC = [
    '"LOINC_NUM","COMPONENT","PROPERTY","STATUS","CLASSTYPE","SHORTNAME","LONG_COMMON_NAME","DisplayName"',
    '"90001-1","Zorbazole","MCnc","ACTIVE","1","Zorbazole SerPl-mCnc","Zorbazole [Mass/volume] in Serum","Zorbazole, serum"',
    '"90002-9","Old thing","MCnc","DEPRECATED","1","Old","Old thing","Old"',
]


def write(path, lines, end="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(end.join(lines) + end, encoding="utf-8")
    return path
